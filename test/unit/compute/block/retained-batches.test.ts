import { describe, expect, it } from "vitest";
import { createRetainedBatches, type RetainedBatch } from "../../../../src/compute/block/retained-batches.ts";
import type { Recording } from "../../../../src/compute/nn/slice.ts";

/** Batches that only know their size, and which of them were disposed. */
function scene() {
  const disposed: number[] = [];
  const batch = (step: number, retainedBytes = 10, isApplied = false): RetainedBatch => {
    const recording = {
      retainedBytes,
      dispose: () => {
        disposed.push(step);
      },
    };
    return { recording: recording as unknown as Recording, version: 0, taken: new Set(), isApplied };
  };
  return { batch, disposed };
}

describe("createRetainedBatches", () => {
  it("gives up the oldest beyond the number of batches, and counts them", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 2, bytes: 1000 });
    for (const step of [5, 6, 7, 8]) retained.put(step, batch(step));
    expect(disposed).toEqual([5, 6]);
    expect(retained).toMatchObject({ count: 2, forgotten: 2 });
    expect(retained.get(6)).toBeUndefined();
    expect(retained.get(7)).toBeDefined();
  });

  it("gives up the oldest beyond the bytes, as many as it takes", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 10, bytes: 100 });
    for (const step of [1, 2, 3]) retained.put(step, batch(step, 30));
    retained.put(4, batch(4, 10)); // 100 in all: the bound itself is allowed
    expect(disposed).toEqual([]);
    retained.put(5, batch(5, 60));
    expect(disposed).toEqual([1, 2]);
    expect(retained).toMatchObject({ count: 3, forgotten: 2 });
  });

  it("never gives up the newest, however large", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 1, bytes: 1 });
    retained.put(1, batch(1, 50));
    expect(retained.count).toBe(1);
    retained.put(2, batch(2, 50));
    expect(disposed).toEqual([1]);
    expect(retained.get(2)).toBeDefined();
  });

  it("a batch that has ended leaves its bytes, and is not counted", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 10, bytes: 100 });
    retained.put(1, batch(1, 60));
    retained.end(1);
    retained.end(1);
    retained.put(2, batch(2, 60));
    retained.put(3, batch(3, 40));
    expect(disposed).toEqual([1]);
    expect(retained).toMatchObject({ count: 2, forgotten: 0 });
  });

  it("a step that is put again takes the place of the first and becomes the newest", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 2, bytes: 1000 });
    for (const step of [1, 2, 1, 3]) retained.put(step, batch(step));
    expect(disposed).toEqual([1, 2]);
    expect(retained).toMatchObject({ count: 2, forgotten: 1 });
  });

  it("counts as forgotten and as pending only what the weights do not include", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 3, bytes: 1000 });
    for (const step of [1, 2, 3, 4, 5]) retained.put(step, batch(step, 10, step % 2 === 0));
    expect(disposed).toEqual([1, 2]);
    expect(retained).toMatchObject({ count: 3, pending: 2, forgotten: 1 });
    const three = retained.get(3);
    if (three !== undefined) three.isApplied = true;
    expect(retained.pending).toBe(1);
    expect(retained.forget()).toBe(1);
    expect(disposed).toEqual([1, 2, 3, 4, 5]);
    expect(retained).toMatchObject({ count: 0, pending: 0, forgotten: 2 });
  });

  it("forget gives up all and counts them; clear does not count", () => {
    const { batch, disposed } = scene();
    const retained = createRetainedBatches({ batches: 10, bytes: 1000 });
    for (const step of [1, 2, 3]) retained.put(step, batch(step));
    expect(retained.forget()).toBe(3);
    expect(retained.forget()).toBe(0);
    retained.put(4, batch(4));
    retained.clear();
    expect(disposed).toEqual([1, 2, 3, 4]);
    expect(retained).toMatchObject({ count: 0, forgotten: 3 });
  });
});
