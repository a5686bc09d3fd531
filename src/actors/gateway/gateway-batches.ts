/** The batches of a gateway that are under way: sent, and ended by a result or by the loss of a replica on their route. */
import { encodeStageBatch, runSubject, splitFrame, type StageResult, type TensorView } from "../../messages/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { BatchTimes } from "./batch-times.ts";
import type { ReplicaTable } from "./replica-table.ts";

/** @typeParam T what the batch was made of */
export interface BatchUnderWay<T> {
  readonly number: number;
  readonly release: number;
  readonly route: readonly string[];
  readonly samples: number;
  readonly content: T;
  readonly sentMs: number;
  readonly encodeMs: number;
  /** For the batches that were under way to the same replica when it was sent, ms. */
  readonly aheadMs: number;
}

export interface GatewayBatchesOptions {
  readonly run: string;
  readonly id: string;
}

export interface GatewayBatchesDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly table: ReplicaTable;
  readonly times: BatchTimes;
}

export interface GatewayBatches<T> {
  readonly count: number;
  /** Samples of all of them. */
  readonly samples: number;
  filter(isMeant: (batch: BatchUnderWay<T>) => boolean): BatchUnderWay<T>[];
  /**
   * Sends [n, ...input] on its way.
   * @throws KnowledgeNetError KN_UNAVAILABLE when the bus is closed, KN_CONFIG when its messages cannot hold it, KN_NUMERIC
   * for a value that is not finite
   */
  send(
    content: T,
    batch: {
      readonly release: number;
      readonly route: readonly string[];
      readonly tensor: TensorView;
      readonly remainingMs: number;
      /** @default false */
      readonly wantsActivations?: boolean;
    },
  ): void;
  /** @returns the batch that it ends; undefined: none, it was given up */
  end(result: StageResult): BatchUnderWay<T> | undefined;
  /** Gives up the batches that `isLost` names. @returns them */
  giveUp(isLost: (batch: BatchUnderWay<T>) => boolean): readonly BatchUnderWay<T>[];
}

/** Batches per ms of its process that a gateway's numbers have room for. */
const NUMBERS_PER_MS = 1_024;

export function createGatewayBatches<T>(
  { run, id }: GatewayBatchesOptions,
  { bus, clock, table, times }: GatewayBatchesDeps,
): GatewayBatches<T> {
  const underWay = new Map<number, BatchUnderWay<T>>();
  /** Results of the batches of an earlier process of this name must not end those of this one. */
  let last = Math.floor(clock.wallTimeMs()) * NUMBERS_PER_MS;
  let samplesUnderWay = 0;

  const take = (batch: BatchUnderWay<T>): void => {
    underWay.delete(batch.number);
    samplesUnderWay -= batch.samples;
    table.end(batch.route);
  };

  return {
    get count() {
      return underWay.size;
    },
    get samples() {
      return samplesUnderWay;
    },
    filter: (isMeant) => [...underWay.values()].filter(isMeant),
    send(content, { release, route, tensor, remainingMs, wantsActivations = false }) {
      const [first = "", ...rest] = route;
      const number = last + 1;
      const startedMs = clock.now();
      const frame = encodeStageBatch({
        batch: number,
        release,
        remainingMs,
        route: rest,
        gateway: id,
        tensor,
        computeUs: [],
        nonFinite: [],
        ...(wantsActivations ? { activations: [] } : {}),
      });
      for (const part of splitFrame(frame, bus.maxPayloadBytes)) bus.publish(runSubject(run, "infer", first), part);
      last = number;
      const sentMs = clock.now();
      let aheadMs = 0;
      for (const each of underWay.values()) if (each.route[0] === first) aheadMs += times.intervalMs(each.samples);
      const samples = tensor.shape[0] ?? 0;
      const encodeMs = sentMs - startedMs;
      underWay.set(number, { number, release, route, samples, content, sentMs, encodeMs, aheadMs });
      samplesUnderWay += samples;
      table.begin(route);
    },
    end(result) {
      const { outcome } = result;
      const batch = underWay.get(result.batch);
      if (batch === undefined || batch.release !== result.release) return undefined;
      if (outcome.kind === "logits" && outcome.logits.shape[0] !== batch.samples) return undefined;
      take(batch);
      if (outcome.kind === "logits")
        times.observe(batch.samples, result.computeUs, clock.now() - batch.sentMs, batch.aheadMs);
      return batch;
    },
    giveUp(isLost) {
      const lost = [...underWay.values()].filter(isLost);
      lost.forEach(take);
      return lost;
    },
  };
}
