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
  /** No other batch was under way when it was sent. */
  readonly isAlone: boolean;
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
  readonly underWay: readonly BatchUnderWay<T>[];
  /**
   * Sends [n, ...input] on its way.
   * @throws KnowledgeNetError KN_UNAVAILABLE when the bus is closed, KN_CONFIG when its messages cannot hold it
   */
  send(
    content: T,
    batch: {
      readonly release: number;
      readonly route: readonly string[];
      readonly tensor: TensorView;
      readonly remainingMs: number;
    },
  ): void;
  /** @returns the batch that it ends; undefined: none, it was given up */
  end(result: StageResult): BatchUnderWay<T> | undefined;
  /** Gives up the batches that `isLost` names. @returns them */
  giveUp(isLost: (batch: BatchUnderWay<T>) => boolean): readonly BatchUnderWay<T>[];
}

export function createGatewayBatches<T>(
  { run, id }: GatewayBatchesOptions,
  { bus, clock, table, times }: GatewayBatchesDeps,
): GatewayBatches<T> {
  const underWay = new Map<number, BatchUnderWay<T>>();
  let last = 0;

  const take = (batch: BatchUnderWay<T>): void => {
    underWay.delete(batch.number);
    table.end(batch.route);
  };

  return {
    get underWay() {
      return [...underWay.values()];
    },
    send(content, { release, route, tensor, remainingMs }) {
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
      });
      for (const part of splitFrame(frame, bus.maxPayloadBytes)) bus.publish(runSubject(run, "infer", first), part);
      last = number;
      const sentMs = clock.now();
      const isAlone = underWay.size === 0;
      const samples = tensor.shape[0] ?? 0;
      const encodeMs = sentMs - startedMs;
      underWay.set(number, { number, release, route, samples, content, sentMs, encodeMs, isAlone });
      table.begin(route);
    },
    end(result) {
      const batch = underWay.get(result.batch);
      if (batch === undefined || batch.release !== result.release) return undefined;
      take(batch);
      if (result.outcome.kind === "logits")
        times.observe(batch.samples, result.computeUs, clock.now() - batch.sentMs, batch.isAlone);
      return batch;
    },
    giveUp(isLost) {
      const lost = [...underWay.values()].filter(isLost);
      lost.forEach(take);
      return lost;
    },
  };
}
