import { describe, expect, it } from "vitest";
import type { Header } from "../../../../src/messages/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { createDropCounters, createInputStream, RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";

function scene({ depth = 4, isDropping = false } = {}) {
  const clock = simulatedClock();
  const drops = createDropCounters();
  const queue: string[] = [];
  const duplicates: number[] = [];
  let acknowledgements = 0;
  const input = createInputStream<{ readonly header: Header }>(
    { depth, isDropping },
    {
      clock,
      drops,
      queue: {
        get size() {
          return queue.length;
        },
        put: ({ header }, bytes) => queue.push(`${header.sequence} of ${bytes}`),
        putGap: ({ sequence, step }, cause) => queue.push(`gap to ${sequence} at ${step}: ${cause}`),
      },
      acknowledge: () => (acknowledgements += 1),
      onDuplicate: (sequence) => duplicates.push(sequence),
    },
  );
  const header = (sequence: number, fence: number): Header => ({
    ...{ run: "test", sender: "block-0", version: 0 },
    ...{ sequence, step: sequence, fence },
  });
  return {
    clock,
    drops,
    queue,
    duplicates,
    input,
    acknowledgements: () => acknowledgements,
    accept: (sequence: number, fence = 1) => input.accept({ header: header(sequence, fence) }, 100),
    skip: (first: number, last: number, fence = 1) => input.skip({ first, header: header(last, fence) }),
  };
}

describe("createInputStream", () => {
  it("queues each message once and in order, and says whether the stream advanced", () => {
    const { accept, queue, drops, duplicates } = scene();
    expect([1, 3, 1, 2, 3].map((sequence) => accept(sequence))).toEqual([true, false, false, true, true]);
    expect(queue).toEqual(["1 of 100", "2 of 100", "3 of 100"]);
    expect(drops.snapshot()).toEqual({ "out-of-order": 1, duplicate: 1 });
    expect(duplicates).toEqual([1]);
  });

  it("queues a declared gap with its cause, acknowledges one that it has passed, and refuses one ahead", () => {
    const { accept, skip, queue, drops, acknowledgements } = scene();
    expect(accept(1)).toBe(true);
    expect(skip(3, 4)).toBe(false);
    expect(skip(1, 3, 2)).toBe(true);
    expect(acknowledgements()).toBe(0);
    expect(skip(1, 3, 2)).toBe(false);
    expect(acknowledgements()).toBe(1);
    expect(queue).toEqual(["1 of 100", "gap to 3 at 3: sender-restarted"]);
    expect(drops.snapshot()).toEqual({ "out-of-order": 1 });
  });

  it("tells messages dropped by the sender from those lost with its restart", () => {
    const { accept, skip, queue } = scene({ isDropping: true });
    accept(1);
    skip(2, 3);
    skip(4, 5, 2);
    expect(queue.slice(1)).toEqual(["gap to 3 at 3: overload", "gap to 5 at 5: sender-restarted"]);
  });

  it("refuses messages and gaps while the queue is full, and accepts them when they are retransmitted", () => {
    const { accept, skip, queue, drops } = scene({ depth: 1 });
    expect(accept(1)).toBe(true);
    expect(accept(2)).toBe(false);
    expect(skip(2, 2)).toBe(false);
    expect(drops.snapshot()).toEqual({ overflow: 2 });
    queue.length = 0;
    expect(skip(2, 2)).toBe(true);
    queue.length = 0;
    expect(accept(3)).toBe(true);
  });

  it("starts after the checkpoint, and acknowledges periodically until the first message of a sender", async () => {
    const { clock, input, accept, queue, acknowledgements } = scene();
    input.begin(5, true);
    await clock.advance(2 * RETRANSMIT_AFTER_MS);
    expect(acknowledgements()).toBe(2);
    expect(accept(6)).toBe(true);
    await clock.advance(2 * RETRANSMIT_AFTER_MS);
    expect(acknowledgements()).toBe(2);
    expect(clock.pendingTimers).toBe(0);
    expect(queue).toEqual(["6 of 100"]);
  });

  it("stops acknowledging periodically on a gap and on close, and never starts without a checkpoint", async () => {
    for (const end of ["gap", "close"] as const) {
      const { clock, input, skip, acknowledgements } = scene();
      input.begin(5, true);
      if (end === "gap") skip(1, 6);
      else input.close();
      await clock.advance(2 * RETRANSMIT_AFTER_MS);
      expect(acknowledgements()).toBe(0);
    }
    const { clock, input } = scene();
    input.begin(0, false);
    expect(clock.pendingTimers).toBe(0);
  });
});
