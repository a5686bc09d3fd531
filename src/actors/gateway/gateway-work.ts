/**
 * The work of a gateway: admits requests, makes batches of them, and gives each its outcome. Work-conserving: a batch is
 * what waited while the ones before were computed, and nothing waits while a replica has a credit.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { errorOf, type StageResult, type TensorView } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { admit } from "./admission.ts";
import type { BatchTimes } from "./batch-times.ts";
import { compareShadow } from "./compare-shadow.ts";
import type { BatchUnderWay, GatewayBatches } from "./gateway-batches.ts";
import type { GatewayActorOptions, GatewayObserver } from "./gateway-options.ts";
import type { Assignment, GatewayReleases } from "./gateway-releases.ts";
import type { InferenceOutcome, InferenceRequest, Priority, ServedRelease } from "./inference.ts";
import { joinInputs, rowsOf } from "./join-inputs.ts";
import { refusalOf, type RefusalCause } from "./refusals.ts";
import { noteBatch } from "./release-guard.ts";
import type { ReplicaTable } from "./replica-table.ts";
import { createRequestQueue, type Waiting } from "./request-queue.ts";

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
}

/** A request on its way to an outcome. */
interface Pending extends Waiting {
  readonly input: TensorView;
  readonly assignment: Assignment;
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  readonly settle: (outcome: InferenceOutcome) => void;
  /** When it was sent last; 0: not yet. */
  sentMs: number;
  /** How often it was sent. */
  sends: number;
  isSettled: boolean;
}

/** The requests of a batch, or a copy of their input whose result is compared. */
export type BatchContent =
  | { readonly kind: "requests"; readonly requests: readonly Pending[]; readonly shadow?: ShadowCopy | undefined }
  | { readonly kind: "shadow"; readonly expected: TensorView; readonly nonFinite: readonly number[] };

interface ShadowCopy {
  readonly release: number;
  readonly input: TensorView;
}

export interface GatewayWork {
  /** Requests that have no outcome yet. */
  readonly open: number;
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Outcomes so far, by cause. */
  readonly outcomes: Readonly<Record<string, number>>;
  infer(request: InferenceRequest): Promise<InferenceOutcome>;
  onResult(result: StageResult): void;
  /** Sends the batches that `isLost` names again, or refuses their requests. */
  onLost(isLost: (batch: BatchUnderWay<BatchContent>) => boolean, why: string): void;
  /** Something changed: a replica, a release. */
  pump(): void;
  /** Refuses requests from now on. */
  close(): void;
  whenIdle(): Promise<void>;
}

/** A request is sent so often at most: once again after a loss, and once more to a replica that has its release. */
const MAX_SENDS = 3;

export function createGatewayWork(options: GatewayWorkOptions, deps: GatewayWorkDeps): GatewayWork {
  const { model, maxBatch, maxBulkBatch, timeoutMs, maxTimeoutMs, maxWaitingSamples } = options;
  const { clock, log, table, times, releases, batches, observer } = deps;
  const queue = createRequestQueue<Pending>({ maxSamples: maxWaitingSamples });
  const outcomes: Record<string, number> = {};
  const idleWatchers = new Set<() => void>();
  let open = 0;
  let isClosed = false;

  const report = (
    { samples, priority, arrivedMs, sentMs }: Pick<Pending, "samples" | "priority" | "arrivedMs" | "sentMs">,
    outcome: RefusalCause | "answer",
    release: number | undefined,
  ): void => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const nowMs = clock.now();
    const queueMs = (sentMs === 0 ? nowMs : sentMs) - arrivedMs;
    observer.onRequest({ release, priority, outcome, samples, queueMs, computeMs: sentMs === 0 ? 0 : nowMs - sentMs });
  };

  const refuse = (
    pending: Pending,
    cause: RefusalCause,
    { error, release, retryAfterMs }: { error?: KnowledgeNetError; release?: number; retryAfterMs?: number } = {},
  ): void => {
    if (pending.isSettled) return;
    report(pending, cause, release);
    pending.settle({
      kind: "refusal",
      error: error ?? refusalOf(cause, { model, timeoutMs: pending.deadlineMs - pending.arrivedMs }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  };

  const infer = (request: InferenceRequest): Promise<InferenceOutcome> => {
    const { input, client = "", priority = "interactive", signal, release } = request;
    const nowMs = clock.now();
    const limitMs = Math.min(request.timeoutMs ?? timeoutMs, maxTimeoutMs);
    const samples = input.shape[0] ?? 0;
    const verdict = admit(request, {
      ...options,
      limitMs,
      isClosed,
      releases,
      table,
      times,
      samplesBefore: queue.samplesBefore(client, priority),
      batchesUnderWay: batches.underWay.length,
    });
    if (verdict !== undefined) {
      report({ samples, priority, arrivedMs: nowMs, sentMs: 0 }, verdict.cause, release);
      return Promise.resolve({ kind: "refusal", ...verdict.refusal });
    }
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        pending.isSettled = true;
        open -= 1;
        clock.clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        if (open > 0) return;
        for (const watcher of idleWatchers) watcher();
        idleWatchers.clear();
      };
      const onAbort = (): void => {
        queue.remove(pending);
        report(pending, "cancelled", undefined);
        end();
        reject(signal?.reason as Error);
      };
      const pending: Pending = {
        input,
        samples,
        client,
        priority,
        assignment: release ?? releases.assign(),
        arrivedMs: nowMs,
        deadlineMs: nowMs + limitMs,
        sentMs: 0,
        sends: 0,
        isSettled: false,
        settle(outcome) {
          end();
          resolve(outcome);
        },
      };
      open += 1;
      signal?.addEventListener("abort", onAbort, { once: true });
      const timer = clock.setTimeout(() => {
        queue.remove(pending);
        refuse(pending, "expired");
      }, limitMs);
      const left = queue.push(pending);
      for (const each of left) refuse(each, "overloaded", { retryAfterMs: Math.ceil(times.latencyMs(maxBatch)) });
      pump();
    });
  };

  /** The most samples with which a batch still answers a request in time. */
  const roomFor = ({ deadlineMs, priority, samples }: Pending): number => {
    const most = priority === "bulk" ? Math.max(samples, maxBulkBatch) : maxBatch;
    const remainingMs = deadlineMs - clock.now();
    let room = most;
    while (room > samples && times.latencyMs(room) > remainingMs) room = Math.max(samples, Math.floor(room / 2));
    return room;
  };

  const fitsShape = ({ input }: Pending, { manifest }: ServedRelease): boolean =>
    input.shape.slice(1).join() === manifest.network.input.join();

  /** @returns whether a batch was sent, or a request settled */
  const dispatch = (): boolean => {
    const head = queue.head();
    if (head === undefined) return false;
    if (head.priority === "bulk" && batches.underWay.some(isBulk)) return false;
    const served = releases.resolve(head.assignment);
    if (served === undefined || !fitsShape(head, served)) {
      // Without any release it waits: a replica may be on its way back.
      if (served === undefined && typeof head.assignment !== "number") return false;
      queue.remove(head);
      refuse(head, served === undefined ? "unavailable" : "invalid");
      return true;
    }
    const { release } = served;
    const route = table.route(release);
    if (route === undefined) return false;
    const requests = queue.take(
      roomFor(head),
      (each) => releases.resolve(each.assignment)?.release === release && fitsShape(each, served),
    );
    send(requests, release, route);
    return true;
  };

  const send = (requests: readonly Pending[], release: number, route: readonly string[]): void => {
    const tensor = joinInputs(requests.map(({ input }) => input));
    const nowMs = clock.now();
    for (const each of requests) {
      each.sentMs = nowMs;
      each.sends += 1;
    }
    const shadowed = release === releases.live?.release ? releases.nextShadow() : undefined;
    const shadow = shadowed === undefined ? undefined : { release: shadowed, input: tensor };
    const remainingMs = Math.max(...requests.map(({ deadlineMs }) => deadlineMs)) - nowMs;
    try {
      batches.send({ kind: "requests", requests, shadow }, { release, route, tensor, remainingMs });
    } catch (error) {
      log.warn({ err: error, release }, "batch not sent");
      for (const each of requests) refuse(each, "unavailable", isKnowledgeNetError(error) ? { error } : {});
    }
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

  const sendAgain = (requests: readonly Pending[], cause: RefusalCause, error: KnowledgeNetError): void => {
    const open = requests.filter(({ isSettled }) => !isSettled);
    for (const each of open) if (each.sends >= MAX_SENDS) refuse(each, cause, { error });
    queue.putBack(open.filter(({ isSettled }) => !isSettled));
  };

  const answer = (
    { requests, shadow }: BatchContent & { kind: "requests" },
    batch: BatchUnderWay<BatchContent>,
    logits: TensorView,
    result: StageResult,
  ): void => {
    const { release, samples } = batch;
    const figures = releases.figures(release);
    let from = 0;
    for (const each of requests) {
      const range: readonly [number, number] = [from, from + each.samples];
      from += each.samples;
      if (each.isSettled) continue;
      if (result.nonFinite.some((row) => row >= range[0] && row < range[1])) {
        figures.nonFinite += 1;
        refuse(each, "non-finite", { release });
        continue;
      }
      figures.answers += 1;
      report(each, "answer", release);
      each.settle({
        kind: "answer",
        release,
        logits: rowsOf(logits, ...range),
        batch: samples,
        queueMs: each.sentMs - each.arrivedMs,
        computeMs: clock.now() - each.sentMs,
      });
    }
    // A copy takes no credit from a request.
    if (shadow === undefined || queue.length > 0) return;
    const route = table.route(shadow.release);
    if (route === undefined) return;
    const content = { kind: "shadow", expected: logits, nonFinite: result.nonFinite } as const;
    batches.send(content, { release: shadow.release, route, tensor: shadow.input, remainingMs: timeoutMs });
  };

  const onResult = (result: StageResult): void => {
    const usualMs = times.computeMs(samplesOf(result));
    const batch = batches.end(result);
    if (batch === undefined) return;
    const { content, release, samples, sentMs, encodeMs } = batch;
    const totalMs = clock.now() - sentMs;
    const { outcome } = result;
    if (outcome.kind === "logits") {
      const computeMs = result.computeUs.map((us) => us / 1_000);
      observer.onBatch({ release, samples, totalMs, computeMs, encodeMs });
      const ownMs = computeMs.reduce((sum, each) => sum + each, 0);
      if (usualMs > 0) noteBatch(releases.figures(release), ownMs / usualMs);
      if (content.kind === "requests") answer(content, batch, outcome.logits, result);
      else compareShadow(releases.figures(release), content, outcome.logits, result.nonFinite);
    } else {
      const error = errorOf(outcome);
      log.debug({ err: error, release, sender: result.sender }, "batch refused by a replica");
      if (content.kind === "shadow") releases.figures(release).failures += 1;
      else if (outcome.code === "KN_STALE" || outcome.code === "KN_OVERLOADED") {
        if (outcome.code === "KN_STALE") table.lacks(result.sender, release);
        sendAgain(content.requests, "unavailable", error);
      } else if (outcome.code === "KN_UNAVAILABLE") {
        table.lose(result.sender);
        sendAgain(content.requests, "unavailable", error);
      } else {
        releases.figures(release).failures += content.requests.length;
        for (const each of content.requests) refuse(each, "failed", { error, release });
      }
    }
    releases.judgeAll();
    pump();
  };

  return {
    get open() {
      return open;
    },
    get waiting() {
      return queue.samples;
    },
    outcomes,
    infer,
    onResult,
    onLost(isLost, why) {
      for (const { content, release } of batches.giveUp(isLost)) {
        if (content.kind === "shadow") continue;
        const error = refusalOf("unavailable", { model, timeoutMs, detail: `${why}, with release ${release}` });
        sendAgain(content.requests, "unavailable", error);
      }
      pump();
    },
    pump,
    close() {
      isClosed = true;
    },
    whenIdle() {
      if (open === 0) return Promise.resolve();
      return new Promise((resolve) => {
        idleWatchers.add(resolve);
      });
    },
  };
}

function samplesOf({ outcome }: StageResult): number {
  return outcome.kind === "logits" ? (outcome.logits.shape[0] ?? 1) : 1;
}

function isBulk({ content }: BatchUnderWay<BatchContent>): boolean {
  return content.kind === "requests" && content.requests[0]?.priority === "bulk";
}
