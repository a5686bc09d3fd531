/** What a block makes of batches that it never gets, gets from a former sender, or whose gradient is late. */
import { describe, expect, it } from "vitest";
import type { Progress } from "../../../../src/messages/index.ts";
import { failure, unaccounted } from "../actor-scene.ts";
import { type MiddleBlock, middleBlock, type MiddleBlockOptions } from "./middle-block.ts";

/** Each progress that was published, and now. */
async function everyProgress(block: MiddleBlock): Promise<Progress[]> {
  return [...block.scene.facts("block-1", "Progress"), await block.reported()];
}

async function save(block: MiddleBlock, generation: number): Promise<Readonly<Record<string, string>>> {
  const saving = block.scene.order("block-1", { kind: "SaveCheckpoint", generation });
  await block.scene.settle();
  await saving;
  return block.scene.savedMetadata("block-1", generation);
}

/** Ends the block and has it come back from what it has saved. */
async function restart(block: MiddleBlock, options: MiddleBlockOptions = {}): Promise<MiddleBlock> {
  await block.actor.stop();
  return middleBlock({ fence: 2, ...options }, block.scene);
}

describe("createBlockActor: fences", () => {
  it("drops and counts what a former incarnation of its sender says", async () => {
    const block = await middleBlock();
    await block.sendFrom({ fence: 5 }, 1);
    await block.sendFrom({ fence: 4 }, 2, 3);
    await block.sendFrom({ fence: 5 }, 2);
    expect(block.unit.calls).toEqual(["train 1", "train 2"]);
    expect((await block.reported()).drops).toEqual({ fenced: 2 });
  });

  it("bears its own fence in what it sends and says", async () => {
    const block = await middleBlock({ fence: 9 });
    await block.send(1);
    expect(block.fences()).toEqual({ activations: [9], gradients: [9], facts: [9] });
  });

  it("goes on with the first batch of its sender's successor, and counts what was lost between them", async () => {
    const block = await middleBlock();
    await block.sendFrom({ fence: 1 }, 1, 2);
    await block.sendFrom({ fence: 2 }, 2, 5);
    await block.skip(1, 4, 2);
    await block.sendFrom({ fence: 2 }, 5, 7, 6);
    expect(block.unit.trained).toEqual([1, 2, 5, 6]);
    expect(await block.reported()).toMatchObject({
      applied: 4,
      skipped: { "sender-restarted": 2 },
      step: 6,
      drops: { duplicate: 1, "out-of-order": 2 },
    });
  });
});

describe("createBlockActor: return from its memory", () => {
  it("goes on with what comes, and counts what went by since it saved", async () => {
    const before = await middleBlock();
    await before.prepare(2);
    await before.send(1, 2, 3);
    const block = await restart(before);
    await block.skip(1, 5);
    await block.send(6, 7);
    expect(block.unit.calls).toEqual(["restore 2", "train 6", "train 7"]);
    expect(await block.reported()).toMatchObject({ applied: 4, skipped: { restarted: 3 }, pending: 0, step: 7 });
    const progress = await everyProgress(block);
    expect(progress.map(unaccounted)).toEqual(progress.map(() => 0));
  });

  it("counts batches as unanswered whose gradients it waited for when it saved", async () => {
    const before = await middleBlock({ appliesReturned: true });
    await before.send(1, 2, 3);
    await before.sendGradients(1);
    expect(await save(before, 3)).toMatchObject({ version: "1", pending: "2", step: "3" });
    const block = await restart(before, { appliesReturned: true });
    await block.send(4);
    await block.sendGradients(2, 4);
    expect(await block.reported()).toMatchObject({
      applied: 2,
      skipped: { unanswered: 2 },
      pending: 0,
      step: 4,
      drops: { late: 1 },
    });
  });

  it("leaves a batch out of what it saves while it waits for its gradient: it comes again, or is lost", async () => {
    for (const next of [2, 3]) {
      const before = await middleBlock({ isGating: true });
      await before.send(1, 2);
      await before.sendGradients(1);
      expect(before.actor.state).toBe("training.awaitingGradient");
      expect(await save(before, 1)).toMatchObject({ version: "1", consumed: "1", step: "1", pending: "0" });
      const block = await restart(before, { isGating: true });
      await block.skip(1, next - 1);
      await block.send(next);
      await block.sendGradients(next);
      const now = await block.reported();
      expect(now).toMatchObject({ applied: 2, skipped: next === 2 ? {} : { restarted: 1 }, step: next });
      expect(unaccounted(now)).toBe(0);
    }
  });
});

describe("createBlockActor: its account", () => {
  it("balances in every progress, a batch at hand being pending", async () => {
    let release: () => void = () => undefined;
    const block = await middleBlock();
    await block.send(1);
    block.unit.hold = new Promise((resolve) => {
      release = resolve;
    });
    await block.send(2, 1); // the second is a duplicate, which it answers with its progress
    expect(await block.reported()).toMatchObject({ applied: 1, pending: 1, step: 2 });
    release();
    await block.scene.settle();
    expect(await block.reported()).toMatchObject({ applied: 2, pending: 0, step: 2 });
    expect((await everyProgress(block)).map(unaccounted)).toEqual([0, 0, 0, 0]);
  });

  it("has a batch pending while it waits for the gradient without which it does not go on", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1);
    expect(await block.reported()).toMatchObject({ consumed: 0, applied: 0, pending: 1, step: 1 });
    await block.sendGradients(1);
    expect(await block.reported()).toMatchObject({ consumed: 1, applied: 1, pending: 0, step: 1 });
    expect((await everyProgress(block)).map(unaccounted)).toEqual([0, 0]);
  });

  it("counts a batch as refused when its error concerns it alone", async () => {
    const block = await middleBlock();
    await block.send(1);
    block.unit.failWith = failure("KN_STALE");
    await block.send(2);
    block.unit.failWith = undefined;
    await block.send(3);
    const now = await block.reported();
    expect(now).toMatchObject({ consumed: 3, applied: 2, skipped: { refused: 1 }, pending: 0, drops: { late: 1 } });
    expect(unaccounted(now)).toBe(0);
  });
});

describe("createBlockActor: delayed", () => {
  it("goes on without the gradient and applies it when it comes", async () => {
    const block = await middleBlock({ appliesReturned: true });
    await block.send(1, 2, 3);
    expect(block.consumed()).toEqual([1, 2, 3]);
    expect(await block.reported()).toMatchObject({ applied: 0, pending: 3, step: 3 });
    await block.sendGradients(1, 3, 3);
    expect(block.unit.applied).toEqual([1, 3]);
    expect(block.gradients).toHaveLength(2);
    const progress = await everyProgress(block);
    expect(progress.at(-1)).toMatchObject({ applied: 2, pending: 1, stalenessSteps: 1, step: 3, drops: { late: 1 } });
    expect(progress.map(unaccounted)).toEqual(progress.map(() => 0));
  });

  it("counts a batch as unanswered when it is given up for newer ones, and its gradient then as late", async () => {
    const block = await middleBlock({ appliesReturned: true, unit: { retain: 2 } });
    await block.send(1, 2, 3);
    await block.sendGradients(1);
    expect(await block.reported()).toMatchObject({
      applied: 0,
      skipped: { unanswered: 1 },
      pending: 2,
      step: 3,
      drops: { late: 1 },
    });
  });

  it("closes its account: what is unanswered at the end is said to be", async () => {
    const block = await middleBlock({ appliesReturned: true });
    await block.send(1, 2, 3);
    await block.sendGradients(2);
    await block.actor.stop();
    await block.scene.settle();
    const end = block.scene.facts("block-1", "Progress").at(-1);
    expect(end).toMatchObject({ applied: 1, skipped: { unanswered: 2 }, pending: 0, step: 3 });
  });

  it("closes it while it waits for a gradient, too", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1);
    await block.actor.stop();
    await block.scene.settle();
    const end = block.scene.facts("block-1", "Progress").at(-1);
    expect(end).toMatchObject({ applied: 0, skipped: { unanswered: 1 }, pending: 0, step: 1 });
  });
});
