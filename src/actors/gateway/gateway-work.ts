/**
 * The work of a gateway: admits requests, makes batches of them, and gives each its outcome. Work-conserving: a batch is
 * what waited while the ones before were computed, and nothing waits while a replica has a credit.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { errorOf, type Failure, type StageResult, type TensorView } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { admit } from "./admission.ts";
import { type BatchTimes, createBatchTimes } from "./batch-times.ts";
import { compareShadow } from "./compare-shadow.ts";
import type { BatchUnderWay, GatewayBatches } from "./gateway-batches.ts";
import type { GatewayActorOptions, GatewayObserver } from "./gateway-options.ts";
import type { GatewayReleases, KnownRelease } from "./gateway-releases.ts";
import type { InferenceOutcome, InferenceRequest, Priority } from "./inference.ts";
import { isAllFinite, joinInputs, rowsOf } from "./join-inputs.ts";
import { createOpenRequests, type OpenRequest } from "./open-requests.ts";
import { refusalOf, type RefusalCause } from "./refusals.ts";
import { noteBatch } from "./release-guard.ts";
import type { ReplicaTable } from "./replica-table.ts";
import { createRequestQueue } from "./request-queue.ts";

export type GatewayWorkOptions = Pick<
  GatewayActorOptions,
  "maxBatch" | "maxBulkBatch" | "targetMs" | "timeoutMs" | "maxTimeoutMs" | "maxWaitingSamples"
> & { readonly model: string };

export interface GatewayWorkDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ReplicaTable;
  readonly times: BatchTimes;
  readonly releases: GatewayReleases;
  readonly batches: GatewayBatches<BatchContent>;
  readonly observer: GatewayObserver;
  /** A batch was sent; its oldest request had waited so long, ms. */
  readonly onDispatched: (queueMs: number) => void;
}

/** The requests of a batch, or a copy of their input whose result is compared. */
export type BatchContent =
  | { readonly kind: "requests"; readonly requests: readonly OpenRequest[]; readonly shadow?: ShadowCopy | undefined }
  | { readonly kind: "shadow"; readonly expected: TensorView; readonly nonFinite: readonly number[] };

interface ShadowCopy {
  readonly release: number;
  readonly input: TensorView;
}

type RequestBatch = BatchUnderWay<BatchContent> & { readonly content: BatchContent & { readonly kind: "requests" } };

export interface GatewayWork {
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Outcomes so far, by cause. */
  readonly outcomes: Readonly<Record<string, number>>;
  infer(request: InferenceRequest): Promise<InferenceOutcome>;
  onResult(result: StageResult): void;
  /** Sends the batches that `isLost` names again, or refuses their requests. */
  onLost(isLost: (batch: BatchUnderWay<BatchContent>) => boolean, why: string): void;
  /** Something changed: a replica, a release. */
  pump(): void;
  /** Refuses what it has, and requests from now on. */
  close(): void;
  /** Resolves when every request has its outcome. */
  whenIdle(): Promise<void>;
}

/** A request is sent so often at most: once again after a loss, and once more to a replica that has its release. */
const MAX_SENDS = 3;
/** A replica that has no room for a batch gets none for so long, ms. */
const FULL_MS = 50;

export function createGatewayWork(options: GatewayWorkOptions, deps: GatewayWorkDeps): GatewayWork {
  const { model, maxBatch, maxBulkBatch, timeoutMs, maxTimeoutMs, maxWaitingSamples } = options;
  const { clock, log, table, times, releases, batches, observer, onDispatched } = deps;
  const queue = createRequestQueue<OpenRequest>({ maxSamples: maxWaitingSamples });
  const requests = createOpenRequests({ model, clock, observer, onLeft: (request) => queue.remove(request) });
  /** Of the releases that are not judged: what one that is judged is compared with. */
  const usual = createBatchTimes();
  let isClosed = false;

  const infer = (request: InferenceRequest): Promise<InferenceOutcome> => {
    const { client = "", priority = "interactive", signal, release } = request;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const limitMs = Math.min(request.timeoutMs ?? timeoutMs, maxTimeoutMs);
    const verdict = admit(request, {
      model,
      maxBatch,
      targetMs: options.targetMs,
      limitMs,
      isClosed,
      releases,
      table,
      times,
      samplesBefore: queue.samplesBefore(client, priority),
      underWay: batches,
    });
    if (verdict !== undefined) {
      requests.noteRefused(request, verdict.cause);
      return Promise.resolve({ kind: "refusal", ...verdict.refusal });
    }
    return requests.open(request, { limitMs, assignment: release ?? releases.assign() }, (opened) => {
      const retryAfterMs = Math.max(1, Math.ceil(times.latencyMs(maxBatch)));
      for (const each of queue.push(opened)) requests.refuse(each, "overloaded", { retryAfterMs });
      pump();
    });
  };

  /** The most samples with which a batch still answers a request in time. */
  const roomFor = ({ deadlineMs, priority, samples }: OpenRequest, nowMs: number): number => {
    let room = priority === "bulk" ? Math.max(samples, maxBulkBatch) : maxBatch;
    const remainingMs = deadlineMs - nowMs;
    while (room > samples && times.latencyMs(room) > remainingMs) room = Math.max(samples, Math.floor(room / 2));
    return room;
  };

  /** Sends a batch of `release` that begins with `head`. @returns false: it waits for a credit */
  const begin = (head: OpenRequest, { release, sampleShape }: KnownRelease, nowMs: number): boolean => {
    // An interactive request that comes now waits for one bulk batch at most.
    if (head.priority === "bulk" && batches.filter(isBulk).length >= Math.max(1, table.lanes(release))) return false;
    const route = table.route(release, nowMs);
    if (route === undefined) return false;
    const taken = queue.take(
      roomFor(head, nowMs),
      (each) =>
        each.sampleShape === sampleShape &&
        each.deadlineMs > nowMs &&
        releases.resolve(each.assignment)?.release === release,
    );
    send(taken, release, route);
    return true;
  };

  /** @returns whether a batch was sent, or a request settled */
  const dispatch = (): boolean => {
    const head = queue.head();
    if (head === undefined) return false;
    const nowMs = clock.now();
    const served = releases.resolve(head.assignment);
    if (head.deadlineMs <= nowMs) return drop(head, "expired"); // its timer is about to say so
    if (served !== undefined && head.sampleShape !== served.sampleShape) return drop(head, "invalid", served);
    if (served !== undefined && begin(head, served, nowMs)) return true;
    // One that is wanted waits: a replica may be on its way back.
    if (served === undefined && typeof head.assignment === "number" && !releases.isWanted(head.assignment))
      return drop(head, "unavailable");
    return dispatchOther(served?.release, nowMs);
  };

  /** The head waits: requests of another release do not, where a replica has a credit for them. */
  const dispatchOther = (release: number | undefined, nowMs: number): boolean => {
    for (const other of releases.usable) {
      if (other.release === release || table.route(other.release, nowMs) === undefined) continue;
      const head = queue.head(
        ({ assignment, sampleShape, deadlineMs }) =>
          sampleShape === other.sampleShape &&
          deadlineMs > nowMs &&
          releases.resolve(assignment)?.release === other.release,
      );
      if (head !== undefined && begin(head, other, nowMs)) return true;
    }
    return false;
  };

  const drop = (request: OpenRequest, cause: RefusalCause, served?: KnownRelease): true => {
    queue.remove(request);
    const expected = served === undefined ? undefined : wrongShape(model, request, served);
    requests.refuse(request, cause, expected === undefined ? {} : { error: expected });
    return true;
  };

  const send = (taken: readonly OpenRequest[], release: number, route: readonly string[]): void => {
    const tensor = joinInputs(taken.map(({ input }) => input));
    const nowMs = clock.now();
    const shadowed = release === releases.live?.release ? releases.nextShadow() : undefined;
    const shadow = shadowed === undefined ? undefined : { release: shadowed, input: tensor };
    let deadlineMs = nowMs;
    for (const each of taken) deadlineMs = Math.max(deadlineMs, each.deadlineMs);
    try {
      const content = { kind: "requests", requests: taken, shadow } as const;
      batches.send(content, { release, route, tensor, remainingMs: deadlineMs - nowMs });
    } catch (error) {
      onUnsent(taken, release, error);
      return;
    }
    onDispatched(Math.max(...taken.map(({ arrivedMs }) => nowMs - arrivedMs)));
    for (const each of taken) {
      each.sentMs = nowMs;
      each.sends += 1;
    }
  };

  const onUnsent = (taken: readonly OpenRequest[], release: number, error: unknown): void => {
    log.warn({ err: error, release }, "batch not sent");
    // The fault of one input is not its neighbours'.
    const unsound = taken.filter(({ input }) => !isAllFinite(input));
    for (const each of unsound) requests.refuse(each, "invalid", isKnowledgeNetError(error) ? { error } : {});
    if (unsound.length > 0) queue.putBack(taken.filter((each) => !unsound.includes(each)));
    else for (const each of taken) requests.refuse(each, "unavailable", isKnowledgeNetError(error) ? { error } : {});
  };

  let isPumping = false;
  const pump = (): void => {
    if (isPumping) return; // an outcome may lead to another request at once
    isPumping = true;
    try {
      while (dispatch());
    } finally {
      isPumping = false;
    }
  };

  const sendAgain = (again: readonly OpenRequest[], error: KnowledgeNetError): void => {
    for (const each of again) if (each.sends >= MAX_SENDS) requests.refuse(each, "unavailable", { error });
    queue.putBack(again.filter(({ isSettled }) => !isSettled));
  };

  const onLost: GatewayWork["onLost"] = (isLost, why) => {
    for (const { content, release } of batches.giveUp(isLost)) {
      if (content.kind === "shadow") continue;
      sendAgain(
        content.requests,
        refusalOf("unavailable", { model, timeoutMs, detail: `${why}, with release ${release}` }),
      );
    }
    pump();
  };

  const answer = (
    { content, release, samples }: RequestBatch,
    logits: TensorView,
    nonFinite: readonly number[],
  ): void => {
    const figures = releases.figures(release);
    let from = 0;
    for (const each of content.requests) {
      const to = from + each.samples;
      if (each.isSettled) {
        // Nobody waits for it.
      } else if (nonFinite.some((row) => row >= from && row < to)) {
        figures.nonFinite += 1;
        requests.refuse(each, "non-finite", { release });
      } else {
        figures.answers += 1;
        requests.answer(each, rowsOf(logits, from, to), { release, samples });
      }
      from = to;
    }
    if (content.shadow !== undefined) sendShadow(content.shadow, logits, nonFinite);
  };

  /** A copy is sent when no request waits, and one at a time: it delays a request by itself at most. */
  const sendShadow = ({ release, input }: ShadowCopy, logits: TensorView, nonFinite: readonly number[]): void => {
    if (isClosed || queue.length > 0 || batches.filter(isShadow).length > 0) return;
    const route = table.route(release, clock.now());
    if (route === undefined) return;
    // The result is lent for the length of the handler only.
    const expected = rowsOf(logits, 0, logits.shape[0] ?? 0);
    try {
      batches.send({ kind: "shadow", expected, nonFinite }, { release, route, tensor: input, remainingMs: timeoutMs });
    } catch (error) {
      log.warn({ err: error, release }, "copy not sent");
    }
  };

  const onRefused = ({ content, release }: BatchUnderWay<BatchContent>, sender: string, failure: Failure): void => {
    const error = errorOf(failure);
    log.debug({ err: error, release, sender }, "batch refused by a replica");
    const isReplicas = error.code === "KN_STALE" || error.code === "KN_OVERLOADED" || error.code === "KN_UNAVAILABLE";
    if (error.code === "KN_STALE") table.lacks(sender, release);
    if (error.code === "KN_OVERLOADED") {
      table.fill(sender, clock.now() + FULL_MS);
      // It was not computed: that does not count.
      if (content.kind === "requests") for (const each of content.requests) each.sends -= 1;
    }
    if (error.code === "KN_UNAVAILABLE") {
      table.lose(sender);
      onLost((batch) => batch.route.includes(sender), `${sender} has failed`);
    }
    if (content.kind === "requests" && isReplicas) sendAgain(content.requests, error);
    if (isReplicas) return;
    releases.figures(release).failures += content.kind === "shadow" ? 1 : content.requests.length;
    if (content.kind === "shadow") return;
    for (const each of content.requests) requests.refuse(each, "failed", { error, release });
  };

  const onResult = (result: StageResult): void => {
    const batch = batches.end(result);
    if (batch === undefined) return;
    const { outcome, nonFinite } = result;
    const { content, release, samples, sentMs, encodeMs } = batch;
    if (outcome.kind === "logits") {
      const computeMs = result.computeUs.map((us) => us / 1_000);
      observer.onBatch({ release, samples, totalMs: clock.now() - sentMs, computeMs, encodeMs });
      const usualMs = usual.computeMs(samples);
      const ownMs = computeMs.reduce((sum, each) => sum + each, 0);
      if (usualMs > 0) noteBatch(releases.figures(release), ownMs / usualMs);
      if (!releases.isJudged(release)) usual.observe(samples, result.computeUs, ownMs, false);
      if (isOfRequests(batch)) answer(batch, outcome.logits, nonFinite);
      else if (content.kind === "shadow") {
        releases.figures(release).answers += 1;
        compareShadow(releases.figures(release), content, outcome.logits, nonFinite);
      }
    } else onRefused(batch, result.sender, outcome);
    releases.judgeAll();
    pump();
  };

  return {
    get waiting() {
      return queue.samples;
    },
    outcomes: requests.outcomes,
    infer,
    onResult,
    onLost,
    pump,
    close() {
      isClosed = true;
      queue.clear();
      batches.giveUp(() => true);
      requests.refuseAll("unavailable", "the gateway leaves");
    },
    whenIdle: () => requests.whenIdle(),
  };
}

function isBulk({ content }: BatchUnderWay<BatchContent>): boolean {
  return content.kind === "requests" && content.requests[0]?.priority === "bulk";
}

function isShadow({ content }: BatchUnderWay<BatchContent>): boolean {
  return content.kind === "shadow";
}

function isOfRequests(batch: BatchUnderWay<BatchContent>): batch is RequestBatch {
  return batch.content.kind === "requests";
}

/** Of a request that was admitted before a release of another network became the live one. */
function wrongShape(model: string, { input }: OpenRequest, { release, manifest }: KnownRelease): KnowledgeNetError {
  return new KnowledgeNetError("KN_SHAPE", {
    attempt: `infer with ${model}`,
    rule: `the input of release ${release}, which became live, has the shape [n, ${manifest.network.input.join(", ")}]`,
    value: `[${input.shape.join(", ")}]`,
    remedy: "name the release that it is for",
  });
}
