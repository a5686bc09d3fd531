import { getPriority, setPriority } from "node:os";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { applyInThread, buffersOf } from "../../../../src/jobs/updates/apply-in-thread.ts";
import type { NamedTensors } from "../../../../src/models/index.ts";
import { applyUpdates } from "../../../../src/models/updates/index.ts";
import { FIRST, trainerOf } from "../../models/updates/device-scene.ts";
import { SMALL } from "../../models/updates/update-scene.ts";

const copyOf = (tensors: NamedTensors): NamedTensors => structuredClone(tensors);

/** The user that owns nothing. */
const NOBODY = 65_534;

/** Without the right to raise a priority. */
async function withoutRights<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

describe("applyInThread", () => {
  it("makes what applyUpdates makes", async () => {
    const trainer = trainerOf();
    const steps = [trainer.promote("masked", 2).update, trainer.promote("channels", 3).update];
    const made = await applyInThread(steps, SMALL, copyOf(FIRST));
    expect(made).toEqual(applyUpdates(steps, SMALL, FIRST));
  });

  it("works in a process of the lowest priority, which may not raise it", async () => {
    const before = getPriority();
    setPriority(19);
    try {
      const { update } = trainerOf().promote("masked", 2);
      const made = await withoutRights(() => applyInThread([update], SMALL, copyOf(FIRST)));
      expect(made).toEqual(applyUpdates([update], SMALL, FIRST));
    } finally {
      if (process.getuid?.() === 0) setPriority(before);
    }
  });

  it("rejects as applyUpdates when the result has another digest", async () => {
    const trainer = trainerOf();
    trainer.promote("channels", 2);
    const { update } = trainer.promote("masked", 3);
    await expect(applyInThread([update], SMALL, copyOf(FIRST))).rejects.toThrow(/KN_DECODE.*digest/);
  });

  it("rejects when the thread cannot do it, and when the update cannot be given to it", async () => {
    const { update } = trainerOf().promote("masked", 2);
    const broken = { ...update, tensors: undefined as never };
    await expect(applyInThread([broken], SMALL, copyOf(FIRST))).rejects.toMatchObject({ code: "KN_INVARIANT" });
    const unclonable = { ...update, model: (() => "digits") as never };
    await expect(applyInThread([unclonable], SMALL, copyOf(FIRST))).rejects.toThrow(/could not be cloned/);
  });
});

describe("buffersOf", () => {
  it("gives the buffers that a tensor fills, each once", () => {
    const own = new Float32Array(4);
    const tensors: NamedTensors = {
      own: { dtype: "f32", shape: [4], values: own },
      same: { dtype: "f32", shape: [4], values: own },
      view: { dtype: "f32", shape: [2], values: new Float32Array(8).subarray(2, 4) },
    };
    expect(buffersOf(tensors)).toEqual([own.buffer]);
  });
});
