import { describe, expect, it } from "vitest";
import { createBlockActor } from "../../../../src/actors/block/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { decodeFrame } from "../../../../src/messages/index.ts";
import { batchFrame, createScene, failure, gradientFrame, memoryOf, progressOf } from "../actor-scene.ts";
import { fakeBlock } from "../fake-units.ts";
import { INPUT, middleBlock, OUTPUT_GRADIENT, PLAIN_BLOCK, sequenceOf } from "./middle-block.ts";

describe("createBlockActor", () => {
  it("trains in order, passes the activation on and the gradient back, and reports each batch", async () => {
    const block = await middleBlock();
    await block.send(1, 2, 3);
    expect(block.unit.calls).toEqual(["train 1", "train 2", "train 3"]);
    expect(block.activations.map(sequenceOf)).toEqual([1, 2, 3]);
    expect(block.gradients.map(sequenceOf)).toEqual([1, 2, 3]);
    expect(block.scene.facts("block-1", "Progress")).toMatchObject([
      { consumed: 1, applied: 1, computeMs: 2, drops: {} },
      { consumed: 2, applied: 2 },
      { consumed: 3, applied: 3 },
    ]);
  });

  it("refuses what comes before its turn and takes it when it is repeated", async () => {
    const block = await middleBlock();
    await block.send(1, 3, 2, 3);
    expect(block.unit.calls).toEqual(["train 1", "train 2", "train 3"]);
    expect(block.drops()).toEqual({ "out-of-order": 1 });
  });

  it("answers a duplicate with its progress and, for a waiting neighbour, the gradient, without computing again", async () => {
    const block = await middleBlock({ isPreviousGating: true });
    await block.send(1);
    await block.send(1);
    expect(block.unit.calls).toEqual(["train 1"]);
    expect(block.consumed()).toEqual([1, 1]);
    expect(block.drops()).toEqual({ duplicate: 1 });
    expect(block.gradients.map(sequenceOf)).toEqual([1, 1]);
  });

  it("repeats activations until the next block reports them consumed", async () => {
    const block = await middleBlock();
    await block.send(1, 2);
    await block.scene.clock.advance(RETRANSMIT_AFTER_MS);
    expect(block.activations.map(sequenceOf)).toEqual([1, 2, 1, 2]);
    block.scene.tell("block-2", progressOf(2));
    await block.scene.clock.advance(10 * RETRANSMIT_AFTER_MS);
    expect(block.activations).toHaveLength(4);
  });

  it("repeats gradients to a waiting neighbour until it reports them consumed, and to no other", async () => {
    const waiting = await middleBlock({ isPreviousGating: true });
    await waiting.send(1);
    await waiting.scene.clock.advance(RETRANSMIT_AFTER_MS);
    expect(waiting.gradients).toHaveLength(2);
    waiting.scene.tell("block-0", progressOf(1));
    await waiting.scene.clock.advance(10 * RETRANSMIT_AFTER_MS);
    expect(waiting.gradients).toHaveLength(2);

    const free = await middleBlock();
    await free.send(1);
    await free.scene.clock.advance(RETRANSMIT_AFTER_MS);
    expect(free.gradients).toHaveLength(1);
  });

  it("sends again what may be lost, and its progress, when the connection comes back", async () => {
    const block = await middleBlock({ isPreviousGating: true });
    await block.send(1);
    block.scene.broker.interrupt();
    block.scene.broker.restore();
    await block.scene.settle();
    expect(block.activations.map(sequenceOf)).toEqual([1, 1]);
    expect(block.gradients.map(sequenceOf)).toEqual([1, 1]);
    expect(block.consumed()).toEqual([1, 1]);
  });

  it("counts undecodable bytes, messages of another run and of another kind, and lives on", async () => {
    const block = await middleBlock();
    block.scene.publish(INPUT, Uint8Array.of(1, 2, 3));
    block.scene.publish(INPUT, batchFrame(1, { run: "other" }));
    await block.send(1);
    expect(block.unit.calls).toEqual(["train 1"]);
    expect(block.drops()).toEqual({ undecodable: 1, unexpected: 1 });
  });

  it("refuses more than two windows of waiting batches, and takes them when they are repeated", async () => {
    let release: () => void = () => undefined;
    const block = await middleBlock({ window: 1 });
    block.unit.hold = new Promise((resolve) => {
      release = resolve;
    });
    await block.send(1);
    await block.send(2, 3, 4, 5); // one at work, two waiting
    expect((await block.reported()).drops).toEqual({ overflow: 2 });
    release();
    await block.scene.settle();
    await block.send(4, 5);
    expect(block.unit.calls).toEqual([1, 2, 3, 4, 5].map((step) => `train ${step}`));
  });

  it("fails on figures that are not finite, and counts them", async () => {
    const block = await middleBlock();
    block.unit.failWith = failure("KN_NUMERIC");
    await block.send(1);
    expect(await block.actor.ended).toMatchObject({ code: "KN_NUMERIC" });
    expect(block.actor.state).toBe("failed");
    expect(block.unit.calls).toEqual(["train 1", "forget", "dispose"]);
    expect(block.scene.facts("block-1", "StateEntered").map(({ state }) => state)).toEqual([
      "restoring",
      "catchingUp",
      "training",
      "closing",
      "failed",
    ]);
  });

  it("does not start when its unit does not open, and says why", async () => {
    const scene = await createScene();
    const error = failure("KN_UNAVAILABLE");
    const actor = createBlockActor(
      {
        ...scene.options("block-0"),
        ...PLAIN_BLOCK,
        index: 0,
        blocks: 1,
      },
      { ...scene.deps, memory: memoryOf("block-0", scene.checkpoints), openUnit: () => Promise.reject(error) },
    );
    await expect(actor.start()).rejects.toBe(error);
    expect(await actor.ended).toBe(error);
  });

  it("stops after the batch at hand, frees its unit, and repeats nothing afterwards", async () => {
    let release: () => void = () => undefined;
    const block = await middleBlock();
    block.unit.hold = new Promise((resolve) => {
      release = resolve;
    });
    await block.send(1, 2);
    const stopping = block.actor.stop();
    await block.scene.settle();
    expect(block.actor.state).toBe("draining");
    release();
    await stopping;
    expect(block.unit.calls).toEqual(["train 1", "forget", "dispose"]);
    expect(block.consumed()).toEqual([1]);
    await block.actor.stop();
    expect(block.scene.clock.pendingTimers).toBe(0);
  });
});

describe("createBlockActor: evaluation", () => {
  it("passes an evaluation on without an update", async () => {
    const block = await middleBlock();
    block.scene.publish(INPUT, batchFrame(1, { phase: "evaluate", step: 0 }));
    await block.scene.settle();
    expect(block.unit.calls).toEqual(["evaluate"]);
    expect(decodeFrame(block.activations[0] ?? new Uint8Array(), { maxBytes: 1e6 })).toMatchObject({
      kind: "activation",
      activation: { phase: "evaluate", evaluation: 1, header: { sequence: 1, sender: "block-1" } },
    });
    expect(block.scene.facts("block-1", "Progress")).toMatchObject([{ consumed: 1, applied: 0 }]);
  });

  it("the last block adds up what it measured, evaluation by evaluation, and reports it when asked", async () => {
    const scene = await createScene();
    const unit = fakeBlock({ isLast: true });
    const actor = createBlockActor(
      {
        ...scene.options("block-1"),
        ...PLAIN_BLOCK,
        index: 1,
        blocks: 2,
      },
      { ...scene.deps, memory: memoryOf("block-1", scene.checkpoints), openUnit: () => Promise.resolve(unit.handle) },
    );
    await actor.start();
    for (const [sequence, evaluation] of [
      [1, 1],
      [2, 1],
      [3, 2],
    ] as const) {
      scene.publish(INPUT, batchFrame(sequence, { phase: "evaluate", evaluation }));
    }
    scene.publish(INPUT, batchFrame(4));
    await scene.settle();
    expect(scene.facts("block-1", "EvaluationMeasured")).toMatchObject([
      { evaluation: 1, correct: 1, samples: 2, lossSum: 0.25 },
      { evaluation: 1, correct: 2, samples: 4, lossSum: 0.5 },
      { evaluation: 2, correct: 1, samples: 2, lossSum: 0.25 },
    ]);
    expect(scene.facts("block-1", "Progress").at(-1)).toMatchObject({ consumed: 4, loss: 0.5 });
    const answer = scene.order("block-1", { kind: "ReportState" });
    await scene.settle();
    expect(await answer).toMatchObject({
      kind: "ActorState",
      state: "training.idle",
      progress: { consumed: 4 },
      evaluation: { evaluation: 2, samples: 2 },
    });
    await actor.stop();
  });
});

describe("createBlockActor: locked", () => {
  it("waits for the gradient of a batch before it takes the next one", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1, 2);
    expect(block.actor.state).toBe("training.awaitingGradient");
    expect(block.unit.calls).toEqual(["train 1"]);
    expect(block.consumed()).toEqual([]);
    block.scene.publish(OUTPUT_GRADIENT, gradientFrame(1));
    await block.scene.settle();
    expect(block.unit.calls).toEqual(["train 1", "receive 1", "train 2"]);
    expect(block.consumed()).toEqual([1]);
    expect(block.gradients.map(sequenceOf)).toEqual([1]);
  });

  it("keeps a gradient that is quicker than the end of its own forward", async () => {
    let release: () => void = () => undefined;
    const block = await middleBlock({ isGating: true });
    block.unit.hold = new Promise((resolve) => {
      release = resolve;
    });
    await block.send(1);
    block.scene.publish(OUTPUT_GRADIENT, gradientFrame(1));
    await block.scene.settle();
    release();
    await block.scene.settle();
    expect(block.unit.calls).toEqual(["train 1", "receive 1"]);
    expect(block.consumed()).toEqual([1]);
    expect(block.drops()).toEqual({});
  });

  it("counts gradients that it does not wait for, and applies one that comes twice once", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1, 2);
    for (const sequence of [7, 1, 1]) block.scene.publish(OUTPUT_GRADIENT, gradientFrame(sequence));
    await block.scene.settle();
    block.scene.publish(OUTPUT_GRADIENT, gradientFrame(1));
    block.scene.publish(OUTPUT_GRADIENT, gradientFrame(2));
    await block.scene.settle();
    expect(block.unit.calls.filter((call) => call === "receive 1")).toHaveLength(1);
    expect(block.consumed()).toEqual([1, 2]);
    expect(await block.reported()).toMatchObject({
      applied: 2,
      drops: { late: 1, duplicate: 2 },
    });
  });

  it("saves and stops while it waits", async () => {
    const block = await middleBlock({ isGating: true });
    await block.send(1);
    const saving = block.scene.order("block-1", { kind: "SaveCheckpoint", generation: 1 });
    await block.scene.settle();
    expect(await saving).toMatchObject({ kind: "CheckpointSaved" });
    expect(await block.scene.generations("block-1")).toEqual([1]);
    expect(block.actor.state).toBe("training.awaitingGradient");
    await block.actor.stop();
    expect(block.actor.state).toBe("left");
  });
});

describe("createBlockActor: checkpoints", () => {
  it("goes on from a checkpoint where it was saved", async () => {
    const before = await middleBlock();
    await before.send(1, 2, 3);
    const saving = before.scene.order("block-1", { kind: "SaveCheckpoint", generation: 5 });
    await before.scene.settle();
    await saving;
    const { sentBytes } = await before.reported();
    expect(await before.scene.savedMetadata("block-1", 5)).toEqual({
      actor: "block-1",
      version: "3",
      consumed: "3",
      step: "3",
      skipped: "{}",
      pending: "0",
      sentBytes: JSON.stringify(sentBytes),
      fence: "1",
    });
    await before.actor.stop();

    const after = await middleBlock({ fence: 2 }, before.scene);
    await after.send(3, 4, 6);
    expect(after.unit.calls).toEqual(["restore 3", "train 4"]);
    expect(await after.reported()).toMatchObject({
      consumed: 4,
      applied: 4,
      skipped: {},
      drops: { duplicate: 1, "out-of-order": 1 },
    });
  });

  it("does not start from a generation that is not there", async () => {
    const scene = await createScene();
    const memory = memoryOf("block-1", scene.checkpoints, { from: { attempt: 1, generation: 9 } });
    const actor = createBlockActor(
      { ...scene.options("block-1"), ...PLAIN_BLOCK, index: 1, blocks: 3 },
      { ...scene.deps, memory, openUnit: () => Promise.resolve(fakeBlock().handle) },
    );
    await expect(actor.start()).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
  });

  it("without a checkpoint goes on with whatever comes next, and counts what went by", async () => {
    const block = await middleBlock();
    await block.skip(1, 5);
    await block.send(6, 8, 7);
    expect(block.unit.calls).toEqual(["train 6", "train 7"]);
    expect(block.drops()).toEqual({ "out-of-order": 1 });
    expect(await block.reported()).toMatchObject({ applied: 2, skipped: { restarted: 5 }, step: 7 });
  });
});
