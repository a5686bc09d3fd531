/**
 * A weighted sample of a stream without replacement, within limits of items and bytes: priority sampling (Duffield, Lund,
 * Thorup 2007), with the threshold of a byte budget (Ting 2017, "Adaptive threshold sampling").
 *
 * Each item has the priority weight / u, u uniform in (0, 1]. The sample is the longest run of highest priorities that
 * fits; the threshold is the first priority that does not. Given the threshold an item is in the sample with
 * probability min(1, weight / threshold), and the sum of value / probability over the sample is unbiased for the sum of
 * the values over all items, whatever the weights.
 */
import type { Amount } from "./sliding-budget.ts";

export interface Weighted<T> {
  readonly item: T;
  /** Above 0. */
  readonly weight: number;
  readonly bytes: number;
}

export interface PrioritySample<T> {
  /**
   * Offers an item. `bytes` of every item must be within the limit on bytes.
   * @param uniform in [0, 1), of this item alone.
   * @returns the items that are out of the sample by now, for good; this one may be among them.
   */
  offer(weighted: Weighted<T>, uniform: number): readonly T[];
  /** The sample, with the probability of each item to be in it. */
  readonly taken: readonly { readonly item: T; readonly inclusion: number }[];
}

interface Entry<T> extends Weighted<T> {
  readonly priority: number;
}

export function createPrioritySample<T>(limits: Amount): PrioritySample<T> {
  /** Binary heap, the least priority first. */
  const heap: Entry<T>[] = [];
  let bytes = 0;
  let threshold = 0;

  return {
    offer(weighted, uniform) {
      const priority = weighted.weight / (1 - uniform);
      // An item below the threshold would not have fitted beside those above it: a gap that opened since is no reason.
      if (priority <= threshold || limits.inputs === 0) return [weighted.item];
      push(heap, { ...weighted, priority });
      bytes += weighted.bytes;
      const out: T[] = [];
      while (heap.length > limits.inputs || bytes > limits.bytes) {
        const least = pop(heap);
        if (least === undefined) break;
        threshold = least.priority;
        bytes -= least.bytes;
        out.push(least.item);
      }
      return out;
    },
    get taken() {
      return heap.map(({ item, weight }) => ({
        item,
        inclusion: threshold === 0 ? 1 : Math.min(1, weight / threshold),
      }));
    },
  };
}

function push<T>(heap: Entry<T>[], entry: Entry<T>): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Entry<T>;
    if (above.priority <= entry.priority) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

function pop<T>(heap: Entry<T>[]): Entry<T> | undefined {
  const least = heap[0];
  const last = heap.pop();
  if (least === undefined || last === undefined || heap.length === 0) return least;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const right = left + 1;
    const rightEntry = heap[right];
    const child = rightEntry !== undefined && rightEntry.priority < (heap[left] as Entry<T>).priority ? right : left;
    const below = heap[child];
    if (below === undefined || below.priority >= last.priority) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return least;
}
