/**
 * The log `observe.<model>`: at least once, in the order of the positions. A repeated observation has the epoch and number
 * of the first; a missing number was lost before the log. Old entries leave when there are too many, and when `removeExpired`
 * is called after their time: a reader looks at `expiresAtMs`.
 */
import { isKnowledgeNetError } from "../../errors/index.ts";
import { decodeObservedInput, encodeObservedInput, type ObservedInput } from "../../messages/index.ts";
import { MAX_VALUE_BYTES, type Store } from "../../runtime/store/index.ts";

export interface ObservationLogOptions {
  /** Keeps at least this many of the newest entries, and at most twice as many. @default all: for a reader */
  readonly maxEntries?: number;
}

export interface ObservationEntry {
  /** Grows from entry to entry, with gaps; never reused. */
  readonly position: number;
  /** Undefined: the entry is none, or one of another model. */
  readonly observation: ObservedInput | undefined;
}

export interface ObservationLog {
  readonly model: string;
  /**
   * Resolves once it is durable. @returns its position. Rejects with KN_OVERLOADED when it has more than 512 KiB;
   * KN_UNAVAILABLE, after which it may or may not be there; as `encodeObservedInput`.
   */
  append(observation: ObservedInput): Promise<number>;
  /** From position `from` on, up to the last entry at the time of the call. @default from the first one */
  read(options?: { readonly from?: number }): AsyncIterable<ObservationEntry>;
  /**
   * Deletes the oldest entries up to the first observation that has time left. An empty entry, which no reader gets, takes
   * the place of the newest one. Rejects with KN_UNAVAILABLE.
   */
  removeExpired(nowMs: number): Promise<void>;
}

const EMPTY = new Uint8Array(0);

/** Name of the log. */
export function observationsOf(model: string): string {
  return `observe.${model}`;
}

/** Rejects with KN_CONFIG for a model that is no token or a bound that is none; KN_UNAVAILABLE. */
export async function openObservationLog(
  store: Store,
  model: string,
  options: ObservationLogOptions = {},
): Promise<ObservationLog> {
  const log = await store.log(observationsOf(model), options);
  /** Position and expiry of each entry that is not empty. */
  async function* expiries(): AsyncIterable<{ readonly position: number; readonly expiresAtMs: number }> {
    for await (const { position, data } of log.read()) {
      if (data.length > 0) yield { position, expiresAtMs: observationOf(data, model)?.expiresAtMs ?? 0 };
    }
  }
  return {
    model,
    append: async (observation) => log.append(encodeObservedInput(observation)),
    read: (from) => ({
      async *[Symbol.asyncIterator]() {
        for await (const { position, data } of log.read(from)) {
          if (data.length > 0) yield { position, observation: observationOf(data, model) };
        }
      },
    }),
    async removeExpired(nowMs) {
      let expired: number | undefined;
      let isLast = true;
      for await (const { position, expiresAtMs } of expiries()) {
        isLast = expiresAtMs <= nowMs;
        if (!isLast) break;
        expired = position;
      }
      if (expired === undefined) return;
      if (isLast) await log.append(EMPTY);
      await log.removeBefore(expired + 1); // what another process has appended meanwhile stays
    },
  };
}

function observationOf(data: Uint8Array, model: string): ObservedInput | undefined {
  try {
    const observation = decodeObservedInput(data, { maxBytes: MAX_VALUE_BYTES });
    return observation.model === model ? observation : undefined;
  } catch (error) {
    if (isKnowledgeNetError(error, "KN_DECODE")) return undefined;
    throw error;
  }
}
