/** Observations that are chosen and not in the log yet, oldest first, within a bound. Plain state. */
import type { ObservedInput } from "../../messages/index.ts";

export interface HeldBound {
  readonly maxInputs: number;
  readonly maxBytes: number;
}

export interface HeldObservations {
  readonly inputs: number;
  readonly bytes: number;
  /** That they were chosen in. */
  readonly slots: number;
  /** Lost: beyond the bound; expired before the log took them. */
  readonly counts: Readonly<Record<"overflowed" | "expiredHeld", number>>;
  /** Of one slot. Pushes out the oldest that are not under way. */
  add(group: readonly ObservedInput[]): void;
  /** The oldest ones of one slot, without those that have expired; they are under way. Undefined: there are none. */
  begin(nowMs: number): readonly ObservedInput[] | undefined;
  /** It is in the log, or will never be. */
  remove(observation: ObservedInput): void;
}

interface Held {
  readonly observation: ObservedInput;
  readonly group: number;
}

export function createHeldObservations({ maxInputs, maxBytes }: HeldBound): HeldObservations {
  let held: Held[] = [];
  const counts = { overflowed: 0, expiredHeld: 0 };
  let bytes = 0;
  let groups = 0;
  let underWay: number | undefined;

  const keep = (isKept: (each: Held) => boolean): number => {
    const before = held.length;
    held = held.filter(isKept);
    bytes = held.reduce((sum, { observation }) => sum + observation.input.values.byteLength, 0);
    return before - held.length;
  };

  return {
    get inputs() {
      return held.length;
    },
    get bytes() {
      return bytes;
    },
    get slots() {
      return new Set(held.map(({ group }) => group)).size;
    },
    counts,
    add(group) {
      groups += 1;
      for (const observation of group) {
        held.push({ observation, group: groups });
        bytes += observation.input.values.byteLength;
      }
      while (held.length > maxInputs || bytes > maxBytes) {
        const oldest = held.find((each) => each.group !== underWay) ?? held.at(-1);
        counts.overflowed += keep((each) => each !== oldest);
      }
    },
    begin(nowMs) {
      counts.expiredHeld += keep(({ observation }) => observation.expiresAtMs > nowMs);
      underWay = held[0]?.group;
      if (underWay === undefined) return undefined;
      return held.filter(({ group }) => group === underWay).map(({ observation }) => observation);
    },
    remove(observation) {
      keep((each) => each.observation !== observation);
    },
  };
}
