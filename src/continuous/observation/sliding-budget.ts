/**
 * A budget of inputs and bytes per minute that holds in every minute, not in those of a clock: in no half-open interval
 * of 60 s is more spent than the limits. Each spending is remembered until it is 60 s old; O(1) amortised.
 */
export const MINUTE_MS = 60_000;

export interface Amount {
  readonly inputs: number;
  readonly bytes: number;
}

export interface Spending extends Amount {
  readonly atMs: number;
}

export interface SlidingBudget {
  readonly limits: Amount;
  /** What may be spent at `nowMs`. */
  room(nowMs: number): Amount;
  /** A time before the latest one seen counts as that. @throws RangeError beyond the room. */
  spend(spending: Spending): void;
  /** The next time at which there is more room, if nothing is spent until then; undefined when all of it is free. */
  nextRoomMs(): number | undefined;
  /** What still counts at `nowMs`, to go on from after a restart. */
  spendings(nowMs: number): readonly Spending[];
}

/** @param earlier spendings before this budget was made, oldest first. @default [] */
export function createSlidingBudget(limits: Amount, earlier: readonly Spending[] = []): SlidingBudget {
  const queue: Spending[] = [...earlier];
  let oldest = 0;
  let latestMs = earlier.at(-1)?.atMs ?? -Infinity;
  const used = { inputs: 0, bytes: 0 };
  const count = ({ inputs, bytes }: Amount, sign: 1 | -1): void => {
    used.inputs += sign * inputs;
    used.bytes += sign * bytes;
  };
  for (const spending of earlier) count(spending, 1);

  const forget = (nowMs: number): void => {
    latestMs = Math.max(latestMs, nowMs);
    for (let first = queue[oldest]; first !== undefined && first.atMs <= latestMs - MINUTE_MS; first = queue[oldest]) {
      count(first, -1);
      oldest += 1;
    }
    if (2 * oldest <= queue.length) return;
    queue.splice(0, oldest); // at most as many as were added since the last time
    oldest = 0;
  };
  const room = (nowMs: number): Amount => {
    forget(nowMs);
    return { inputs: Math.max(0, limits.inputs - used.inputs), bytes: Math.max(0, limits.bytes - used.bytes) };
  };
  return {
    limits,
    room,
    spend({ atMs, inputs, bytes }) {
      const free = room(atMs);
      if (!(inputs >= 0 && bytes >= 0 && inputs <= free.inputs && bytes <= free.bytes)) {
        throw new RangeError(
          `${inputs} inputs of ${bytes} bytes are beyond the ${free.inputs} inputs and ${free.bytes} bytes that are free`,
        );
      }
      const spending = { atMs: latestMs, inputs, bytes };
      queue.push(spending);
      count(spending, 1);
    },
    nextRoomMs: () => {
      const first = queue[oldest];
      return first === undefined ? undefined : first.atMs + MINUTE_MS;
    },
    spendings(nowMs) {
      forget(nowMs);
      return queue.slice(oldest);
    },
  };
}
