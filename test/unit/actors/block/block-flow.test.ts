/** How a block keeps pace with its neighbours, saves by itself, and changes its source. */
import { describe, expect, it } from "vitest";
import { RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { createAutoPolicy } from "../../../../src/compute/index.ts";
import type { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { ATTEMPT, batchFrame, failure, FULL_DISK, progressOf, RUN, type Scene } from "../actor-scene.ts";
import { INPUT, type MiddleBlock, middleBlock, sequenceOf, told } from "./middle-block.ts";

/** Of the blob of a generation. */
const nameOf = (generation: number): string =>
  expect.stringContaining(`run.${RUN}.block-1.${ATTEMPT}-${generation}.`) as string;

describe("createBlockActor: prepared checkpoints", () => {
  const stored = (block: MiddleBlock): Promise<number[]> => block.scene.generations("block-1");

  it("saves a prepared generation at its step, between two messages, and reports it", async () => {
    const block = await middleBlock();
    await block.send(1);
    expect(await block.prepare(3)).toEqual({ kind: "Done" });
    await block.send(2, 3, 4, 5);
    expect(await stored(block)).toEqual([3]);
    const saved = block.scene.events.filter(({ fact }) => fact.kind === "CheckpointSaved");
    expect(saved.map(({ header, fact }) => ({ ...header, ...fact }))).toMatchObject([
      { sender: "block-1", step: 3, sequence: 3, name: nameOf(3) },
    ]);
    expect(await block.scene.savedMetadata("block-1", 3)).toMatchObject({ version: "3", step: "3" });
  });

  it("saves at once when it stands at the step, and nothing without an order", async () => {
    const block = await middleBlock();
    await block.send(1, 2);
    expect(await stored(block)).toEqual([]);
    await block.prepare(2);
    expect(await stored(block)).toEqual([2]);
  });

  it("refuses a generation that it is past", async () => {
    const block = await middleBlock();
    await block.send(1, 2, 3);
    await expect(block.prepare(2)).rejects.toMatchObject({ code: "KN_STALE" });
    await block.send(4);
    expect(await stored(block)).toEqual([]);
  });

  it("saves at the first step after the generation when that step itself is skipped", async () => {
    const block = await middleBlock();
    await block.prepare(4);
    await block.skip(1, 5);
    await block.send(6, 7);
    expect(await stored(block)).toEqual([4]);
  });

  it("forgets an abandoned generation, and replaces a prepared one by a newer one", async () => {
    const block = await middleBlock();
    await block.prepare(2);
    await block.command({ kind: "AbandonCheckpoint", generation: 2 });
    await block.send(1, 2, 3);
    expect(await stored(block)).toEqual([]);
    await block.prepare(4);
    await block.prepare(5);
    await block.command({ kind: "AbandonCheckpoint", generation: 4 });
    await block.send(4, 5);
    expect(await stored(block)).toEqual([5]);
  });

  it("answers a repeated order with the save that is done", async () => {
    const block = await middleBlock();
    await block.prepare(1);
    await block.send(1, 2);
    expect(await block.prepare(1)).toMatchObject({ kind: "CheckpointSaved", name: nameOf(1) });
    expect(block.scene.facts("block-1", "CheckpointSaved")).toHaveLength(1);
  });

  it("saves anew under the same generation when it has consumed an evaluation since", async () => {
    const block = await middleBlock();
    await block.prepare(2);
    await block.send(1, 2);
    for (const sequence of [3, 4]) block.scene.publish(INPUT, batchFrame(sequence, { phase: "evaluate", step: 2 }));
    await block.scene.settle();
    const order = { kind: "SaveCheckpoint", generation: 2 } as const;
    expect(await block.command(order)).toMatchObject({ kind: "CheckpointSaved" });
    expect(await block.command(order)).toMatchObject({ kind: "CheckpointSaved" });
    const saved = block.scene.events.filter(({ fact }) => fact.kind === "CheckpointSaved");
    expect(saved.map(({ header }) => header.sequence)).toEqual([2, 4]);
  });

  it("trains on when it cannot save, and saves the next generation", async () => {
    const block = await middleBlock();
    block.scene.faults.now = FULL_DISK.blobs;
    await block.prepare(2);
    await block.send(1, 2, 3);
    block.scene.faults.now = undefined;
    await block.prepare(4);
    await block.send(4);
    expect(block.unit.trained).toEqual([1, 2, 3, 4]);
    expect(await stored(block)).toEqual([4]);
  });

  it("rejects a save that waits for its turn when the actor stops or fails", async () => {
    for (const end of ["stop", "fail"] as const) {
      let release: () => void = () => undefined;
      const block = await middleBlock();
      block.unit.hold = new Promise((resolve) => {
        release = resolve;
      });
      await block.send(1);
      const saving = block.scene.order("block-1", { kind: "SaveCheckpoint", generation: 1 });
      const rejected = expect(saving).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
      await block.scene.settle();
      if (end === "fail") block.unit.failWith = failure("KN_INVARIANT");
      const stopping = block.actor.stop();
      release();
      await stopping;
      await block.scene.settle();
      await rejected;
    }
  });

  it("rejects a save that comes in the moment in which the actor stops", async () => {
    const block = await middleBlock();
    const saving = block.scene.order("block-1", { kind: "SaveCheckpoint", generation: 1 });
    const settled = saving.then(
      ({ kind }) => kind,
      (error: unknown) => (error as KnowledgeNetError).code,
    );
    await block.actor.stop();
    await block.scene.settle();
    expect(["KN_UNAVAILABLE", "CheckpointSaved"]).toContain(await settled);
  });
});

describe("createBlockActor: overload drop", () => {
  it("does not wait for a slow neighbour, which gets the newest when it is ready", async () => {
    const block = await middleBlock({ isDropping: true });
    await block.send(1, 2, 3, 4, 5, 6);
    expect(block.consumed()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(told(block.activations)).toEqual([1, 2]);
    block.scene.tell("block-2", progressOf(1));
    await block.scene.settle();
    expect(told(block.activations)).toEqual([1, 2, "3-5", 6]);
    block.scene.tell("block-2", progressOf(6));
    await block.scene.clock.advance(10 * RETRANSMIT_AFTER_MS);
    expect(block.activations).toHaveLength(4);
  });

  it("leaves out no evaluation", async () => {
    const block = await middleBlock({ isDropping: true });
    await block.send(1, 2, 3);
    for (const sequence of [4, 5]) block.scene.publish(INPUT, batchFrame(sequence, { phase: "evaluate", step: 3 }));
    await block.send(6);
    await block.scene.settle();
    for (const consumed of [1, 2, 3, 4, 5]) {
      block.scene.tell("block-2", progressOf(consumed));
      await block.scene.settle();
    }
    expect(told(block.activations)).toEqual([1, 2, "3-3", 4, 5, 6]);
  });

  it("takes what its own neighbour left for it, and counts the rest", async () => {
    const block = await middleBlock({ isDropping: true });
    await block.send(1, 2);
    await block.skip(3, 5);
    await block.send(6, 4);
    await block.skip(7, 8);
    await block.send(9);
    expect(block.unit.trained).toEqual([1, 2, 6, 9]);
    expect(await block.reported()).toMatchObject({
      applied: 4,
      skipped: { overload: 5 },
      step: 9,
      drops: { duplicate: 1 },
    });
  });
});

describe("createBlockActor: locked, when the next block restarts", () => {
  it("gives a batch up whose gradient the next block does not have any more, counts it, and goes on", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1);
    block.scene.tell("block-2", progressOf(5)); // it had the batch before our own restart
    await block.scene.clock.advance(1);
    expect(block.consumed()).toEqual([]);
    block.scene.tell("block-2", progressOf(5)); // asked once more, it says so again
    await block.scene.clock.advance(1);
    expect(block.consumed()).toEqual([1]);
    expect(await block.reported()).toMatchObject({ applied: 0, skipped: { unanswered: 1 }, pending: 0, step: 1 });
    await block.send(2);
    await block.sendGradients(2);
    expect(block.consumed()).toEqual([1, 2]);
  });

  it("keeps an activation until its gradient comes, though it was reported consumed, and sends it again", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1);
    await block.sendGradients(1);
    await block.send(2);
    expect(block.activations.map(sequenceOf)).toEqual([1, 2]);
    block.scene.tell("block-2", progressOf(2)); // its gradient is lost with it
    await block.scene.clock.advance(1);
    expect(block.activations.map(sequenceOf)).toEqual([1, 2, 2]);
    await block.sendGradients(2);
    expect(block.consumed()).toEqual([1, 2]);
    await block.scene.clock.advance(10 * RETRANSMIT_AFTER_MS);
    expect(block.activations).toHaveLength(3);
  });
});

describe("createBlockActor: auto", () => {
  const policy = () =>
    createAutoPolicy({ spec: { enterCosine: 0.3, leaveCosine: 0.15, dwellSteps: 2 }, isSpatial: true });
  const observe = async (scene: Scene, step: number, cosine: number): Promise<void> => {
    const quality = { cosine, relativeError: 0.5, updates: step };
    scene.tell("gradient-1", progressOf(0, { quality, step }), { sequence: step, step });
    await scene.settle();
  };

  it("puts the other source in charge when its policy says so, and tells of it once", async () => {
    const block = await middleBlock({ policy: policy() });
    await block.send(1, 2, 3);
    for (const step of [1, 2]) await observe(block.scene, step, 0.9);
    expect(block.unit.calls).not.toContain("use synthetic");
    for (const step of [3, 4]) await observe(block.scene, step, 0.9);
    expect(block.unit.calls.filter((call) => call.startsWith("use"))).toEqual(["use synthetic"]);
    const [switched, ...others] = block.scene.events.filter(({ fact }) => fact.kind === "SourceSwitched");
    expect(others).toEqual([]);
    expect(switched).toMatchObject({
      header: { sender: "block-1", sequence: 3, step: 3 },
      fact: { from: "auxiliary", to: "synthetic", reason: expect.stringContaining("0.900, above 0.3") as string },
    });
  });

  it("comes back with the source that was in charge when it saved", async () => {
    const before = await middleBlock({ policy: policy() });
    await before.prepare(4);
    for (const step of [1, 3]) await observe(before.scene, step, 0.9);
    await before.send(1, 2, 3, 4);
    expect((await before.scene.savedMetadata("block-1", 4)).source).toBe("synthetic");
    await before.actor.stop();
    const after = await middleBlock({ policy: policy(), fence: 2 }, before.scene);
    expect(after.unit.calls).toEqual(["restore 4", "use synthetic"]);
    for (const step of [5, 7]) await observe(after.scene, step, 0.1);
    expect(after.unit.calls.at(-1)).toBe("use auxiliary");
  });

  it("lives on when its unit cannot change the source now", async () => {
    const block = await middleBlock({ policy: policy() });
    block.unit.failsToUse = failure("KN_UNAVAILABLE");
    for (const step of [1, 3]) await observe(block.scene, step, 0.9);
    await block.send(1);
    expect(block.unit.trained).toEqual([1]);
    expect(block.scene.facts("block-1", "SourceSwitched")).toEqual([]);
  });
});
