/** What becomes of batches that were sent: answers, refusals, another attempt; and what they show of a release. */
import type { KnowledgeNetError } from "../../errors/index.ts";
import { errorOf, type Failure, rowsOf, type StageResult, type TensorView } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import {
  type BatchContent,
  isOfRequests,
  isShadow,
  type ObservedBatch,
  type ObservedRows,
  type RequestBatch,
  type ShadowCopy,
} from "./batch-content.ts";
import { createBatchTimes } from "./batch-times.ts";
import { compareShadow } from "./compare-shadow.ts";
import type { BatchUnderWay, GatewayBatches } from "./gateway-batches.ts";
import type { GatewayActorOptions, GatewayObserver } from "./gateway-options.ts";
import type { GatewayReleases } from "./gateway-releases.ts";
import type { LiveInputSender } from "./live-inputs.ts";
import { createObservedCopies } from "./observed-copies.ts";
import type { OpenRequest, OpenRequests } from "./open-requests.ts";
import { refusalOf } from "./refusals.ts";
import { noteBatch } from "./release-guard.ts";
import type { ReplicaTable } from "./replica-table.ts";
import type { RequestQueue } from "./request-queue.ts";

export type BatchOutcomesOptions = Pick<GatewayActorOptions, "timeoutMs"> & { readonly model: string };

export interface BatchOutcomesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ReplicaTable;
  readonly releases: GatewayReleases;
  readonly batches: GatewayBatches<BatchContent>;
  readonly queue: RequestQueue<OpenRequest>;
  readonly requests: OpenRequests;
  readonly observer: GatewayObserver;
  readonly liveInputs: LiveInputSender;
  /** Credits and requests may be there for further batches. */
  readonly pump: () => void;
}

export interface BatchOutcomes {
  onResult(result: StageResult): void;
  /** Sends the batches that `isLost` names again, or refuses their requests. */
  onLost(isLost: (batch: BatchUnderWay<BatchContent>) => boolean, why: string): void;
}

/** A request is sent so often at most: once again after a loss, and once more to a replica that has its release. */
const MAX_SENDS = 3;
/** A replica that has no room for a batch gets none for so long, ms. */
const FULL_MS = 50;

export function createBatchOutcomes(
  { model, timeoutMs }: BatchOutcomesOptions,
  deps: BatchOutcomesDeps,
): BatchOutcomes {
  const { clock, log, table, releases, batches, queue, requests, observer, liveInputs, pump } = deps;
  const observedCopies = createObservedCopies(liveInputs);
  /** Of the releases that are not judged: what one that is judged is compared with. */
  const usual = createBatchTimes();

  const sendAgain = (again: readonly OpenRequest[], error: KnowledgeNetError): void => {
    for (const each of again) if (each.sends >= MAX_SENDS) requests.refuse(each, "unavailable", { error });
    queue.putBack(again.filter(({ isSettled }) => !isSettled));
  };

  const onLost: BatchOutcomes["onLost"] = (isLost, why) => {
    for (const { content, release } of batches.giveUp(isLost)) {
      if (content.kind === "shadow") {
        observedCopies.withoutCandidate(content.observed);
        continue;
      }
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
    activations: readonly TensorView[] | undefined,
    nonFinite: readonly number[],
  ): void => {
    const figures = releases.figures(release);
    const observed: ObservedRows[] = [];
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
        const own = rowsOf(logits, from, to);
        if (each.isObserved) observed.push({ input: each.input, logits: own, from, to });
        const brought = activations?.map((tensor) => rowsOf(tensor, from, to));
        const outputs = each.wantsActivations ? { logits: own, activations: brought ?? [] } : { logits: own };
        requests.answer(each, outputs, { release, samples });
      }
      from = to;
    }
    const batch = { release, inputs: release === releases.live?.release ? observed : [] };
    const isCopied = content.shadow !== undefined && sendShadow(content.shadow, logits, nonFinite, batch);
    // Answered: in this turn nobody has written to inputs or logits yet.
    if (!isCopied) observedCopies.withoutCandidate(batch);
  };

  /**
   * A copy is sent when no request waits, and one at a time: it delays a request by itself at most.
   * @returns whether it was; observers then get the inputs with its result
   */
  const sendShadow = (
    { release, input }: ShadowCopy,
    logits: TensorView,
    nonFinite: readonly number[],
    observed: ObservedBatch,
  ): boolean => {
    if (queue.length > 0 || batches.filter(isShadow).length > 0) return false;
    const route = table.route(release, clock.now());
    if (route === undefined) return false;
    // The result is lent for the length of the handler only.
    const expected = rowsOf(logits, 0, logits.shape[0] ?? 0);
    const content = { kind: "shadow", expected, nonFinite, observed: observedCopies.own(observed) } as const;
    try {
      batches.send(content, { release, route, tensor: input, remainingMs: timeoutMs });
      return true;
    } catch (error) {
      log.warn({ err: error, release }, "copy not sent");
      return false;
    }
  };

  const onRefused = ({ content, release }: BatchUnderWay<BatchContent>, sender: string, failure: Failure): void => {
    const error = errorOf(failure);
    log.debug({ err: error, release, sender }, "batch refused by a replica");
    if (content.kind === "shadow") observedCopies.withoutCandidate(content.observed);
    const isReplicas = error.code === "KN_STALE" || error.code === "KN_OVERLOADED" || error.code === "KN_UNAVAILABLE";
    if (error.code === "KN_STALE") table.lacks(sender, release);
    const isWaitedFor = content.kind === "requests" && content.requests.some(({ isSettled }) => !isSettled);
    // Else its time was over when its turn came.
    if (error.code === "KN_OVERLOADED" && isWaitedFor) {
      table.fill(sender, clock.now() + FULL_MS);
      // It was not computed: that does not count.
      for (const each of content.requests) each.sends -= 1;
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
      if (usualMs > 0) noteBatch(releases.figures(release), ownMs / usualMs, clock.now());
      if (!releases.isJudged(release)) usual.observe(samples, result.computeUs, ownMs, 0);
      if (isOfRequests(batch)) answer(batch, outcome.logits, result.activations, nonFinite);
      else if (content.kind === "shadow") {
        releases.figures(release).answers += 1;
        compareShadow(releases.figures(release), content, outcome.logits, nonFinite);
        observedCopies.withCandidate(content.observed, { release, logits: outcome.logits, nonFinite });
      }
    } else onRefused(batch, result.sender, outcome);
    releases.judgeAll();
    pump();
  };

  return { onResult, onLost };
}
