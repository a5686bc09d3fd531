/** The batches of one replica: taken in order, computed with the release that they name, answered or refused. */
import type { InferenceHandle } from "../../compute/index.ts";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { StageBatch } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { HeldReleases } from "./held-releases.ts";

export interface ReplicaBatchesOptions {
  readonly id: string;
  /** Batches that may wait beside those in the worker. */
  readonly maxWaiting: number;
}

export interface ReplicaBatchesDeps {
  readonly clock: Clock;
  readonly held: HeldReleases;
  readonly unitOf: (release: number) => InferenceHandle | undefined;
  /** The batch after this slice: its tensor is the result, `route` and `remainingMs` are those of the batch before. */
  readonly onComputed: (batch: StageBatch) => void;
  readonly onRefused: (batch: StageBatch, error: unknown) => void;
  readonly onBusy: () => void;
  readonly onIdle: () => void;
  /** A batch is answered: its release is of one use less. */
  readonly onSettled: () => void;
  /** The compute worker is gone. */
  readonly onFailed: (error: Error) => void;
}

export interface ReplicaBatches {
  readonly counts: Readonly<Record<"batches" | "samples" | "refused", number>>;
  readonly inFlight: number;
  /** Latest deadline of a batch so far: what is not computed by then nobody waits for. */
  readonly lastDeadlineMs: number;
  /** Computes it in its turn. The batch owns its tensor. */
  take(batch: StageBatch): void;
  /** Resolves when every batch is answered. */
  whenIdle(): Promise<void>;
}

/** Batches given to the worker at a time: one computes while the next one is copied. */
const IN_WORKER = 2;
/** A worker that has not answered for so long hangs, ms: far above any batch, and the gateway has sent it again long ago. */
const HUNG_MS = 30_000;

export function createReplicaBatches(
  { id, maxWaiting }: ReplicaBatchesOptions,
  deps: ReplicaBatchesDeps,
): ReplicaBatches {
  const { clock, held, unitOf, onComputed, onRefused, onBusy, onIdle, onSettled, onFailed } = deps;
  const waiting: { readonly batch: StageBatch; readonly deadlineMs: number }[] = [];
  const counts = { batches: 0, samples: 0, refused: 0 };
  const watchers = new Set<() => void>();
  let computing = 0;
  let lastDeadlineMs = 0;

  const refuse = (batch: StageBatch, error: unknown): void => {
    counts.refused += 1;
    onRefused(batch, error);
  };
  const refusal = (
    code: "KN_STALE" | "KN_OVERLOADED" | "KN_UNAVAILABLE",
    { batch }: StageBatch,
    rule: string,
    value: string,
  ) => new KnowledgeNetError(code, { attempt: `compute batch ${batch} at ${id}`, rule, value });

  const compute = async (batch: StageBatch, deadlineMs: number): Promise<void> => {
    const { release, tensor } = batch;
    // Not KN_STALE: that says of a release that it is not here.
    if (clock.now() > deadlineMs) throw refusal("KN_OVERLOADED", batch, "its turn must come in its time", "it is over");
    const unit = unitOf(release);
    if (unit === undefined)
      throw refusal("KN_STALE", batch, "its release must be loaded here", `release ${release} is not`);
    const samples = tensor.shape[0] ?? 0; // the tensor moves to the worker
    const { result, computeMs } = await answerOf(batch, unit.infer(release, tensor));
    counts.batches += 1;
    counts.samples += samples;
    onComputed({
      ...batch,
      remainingMs: deadlineMs - clock.now(),
      tensor: result.output,
      computeUs: [...batch.computeUs, Math.round(1_000 * computeMs)],
      nonFinite: [...new Set([...batch.nonFinite, ...result.nonFiniteRows])].sort((a, b) => a - b),
    });
  };

  /** Of the worker. Rejects with KN_UNAVAILABLE when it hangs. */
  const answerOf = <T>(batch: StageBatch, call: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = clock.setTimeout(() => {
        reject(refusal("KN_UNAVAILABLE", batch, `the worker must answer within ${HUNG_MS} ms`, "it hangs"));
      }, HUNG_MS);
      call.then(resolve, reject).finally(() => {
        clock.clearTimeout(timer);
      });
    });

  const settle = (release: number): void => {
    computing -= 1;
    held.unuse(release);
    onSettled();
    pump();
    if (computing > 0) return;
    onIdle();
    for (const watcher of watchers) watcher();
    watchers.clear();
  };

  const pump = (): void => {
    for (let next = take(); next !== undefined; next = take()) {
      const { batch, deadlineMs } = next;
      computing += 1;
      if (computing === 1) onBusy();
      held.use(batch.release);
      compute(batch, deadlineMs)
        .catch((error: unknown) => {
          refuse(batch, error);
          if (isKnowledgeNetError(error, "KN_UNAVAILABLE")) onFailed(error);
        })
        .finally(() => {
          settle(batch.release);
        });
    }
  };
  const take = () => (computing < IN_WORKER ? waiting.shift() : undefined);

  return {
    counts,
    get inFlight() {
      return waiting.length + computing;
    },
    get lastDeadlineMs() {
      return lastDeadlineMs;
    },
    take(batch) {
      if (waiting.length >= maxWaiting) {
        const rule = `at most ${maxWaiting} batches may wait there`;
        refuse(batch, refusal("KN_OVERLOADED", batch, rule, `${waiting.length} wait`));
        return;
      }
      const deadlineMs = clock.now() + batch.remainingMs;
      lastDeadlineMs = Math.max(lastDeadlineMs, deadlineMs);
      waiting.push({ batch, deadlineMs });
      pump();
    },
    whenIdle() {
      if (computing === 0) return Promise.resolve();
      return new Promise((resolve) => {
        watchers.add(resolve);
      });
    },
  };
}
