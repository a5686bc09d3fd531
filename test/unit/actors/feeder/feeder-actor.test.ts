import { describe, expect, it } from "vitest";
import { createFeederActor, createFeedingPlan, type FeederActorOptions } from "../../../../src/actors/feeder/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { decodeFrame } from "../../../../src/messages/index.ts";
import { createScene, progressOf, RUN, standIn } from "../actor-scene.ts";
import { fakeDataset } from "../fake-dataset.ts";

const BLOCKS = ["block-0", "block-1"];
const SAMPLES = 24;
/** Of an epoch: six training steps, then three batches of the evaluation. */
const STEPS_PER_EPOCH = 6;
const ITEMS_PER_EPOCH = 9;
const EPOCHS = 2;

interface FeedingOptions extends Partial<FeederActorOptions> {
  /** Where the blocks stand when the feeder asks. */
  readonly consumed?: readonly [number, number];
}

/** A feeder with blocks that only say where they stand. */
async function feeding({ consumed = [0, 0], ...changes }: FeedingOptions = {}) {
  const scene = await createScene();
  const batches = scene.listen(`kn.v1.${RUN}.batch.0`);
  /** Where the blocks stand, whatever the feeder has received of it. */
  const positions = [...consumed];
  for (const [index, block] of BLOCKS.entries()) {
    await standIn(scene, block, () => ({
      kind: "ActorState",
      state: "running.idle",
      progress: progressOf(positions[index] ?? 0),
    }));
  }
  const plan = createFeedingPlan({
    trainingSamples: SAMPLES,
    testSamples: SAMPLES,
    batchSize: SAMPLES / STEPS_PER_EPOCH,
    epochs: EPOCHS,
    seed: 1,
    evaluationSamples: SAMPLES,
    evaluationBatchSize: 8,
  });
  const actor = createFeederActor(
    {
      ...scene.options("feeder"),
      learners: BLOCKS,
      keepsUntil: "first",
      window: 2,
      isDropping: false,
      readyDeadlineMs: 60_000,
      augmentation: undefined,
      isDistilling: false,
      ...changes,
    },
    { ...scene.deps, dataset: fakeDataset(SAMPLES), plan },
  );
  await actor.start();
  await scene.settle();
  return {
    scene,
    actor,
    /** What it has published so far, each once: "train 1", "evaluate 7". */
    published: () => [
      ...new Set(
        batches.map((bytes) => {
          const frame = decodeFrame(bytes, { maxBytes: 1e6 });
          if (frame.kind === "gap") return `nothing ${frame.gap.first}-${frame.gap.header.sequence}`;
          if (frame.kind !== "activation") throw new Error(`a ${frame.kind}`);
          const { phase, header } = frame.activation;
          return `${phase} ${header.sequence}`;
        }),
      ),
    ],
    batches,
    positions,
    async begin() {
      const answer = scene.order("feeder", { kind: "StartFeeding" });
      await scene.settle();
      expect(await answer).toEqual({ kind: "Done" });
    },
    async report(block: string, upTo: number) {
      scene.tell(block, progressOf(upTo), { sequence: upTo });
      await scene.settle();
    },
    holds: () => scene.facts("feeder", "StateEntered").filter(({ state }) => state === "holding").length,
    marks: () => scene.facts("feeder", "FeederMark"),
  };
}

describe("createFeederActor", () => {
  it("begins with what the first block has not consumed, at the pace of the slowest", async () => {
    const test = await feeding({ consumed: [5, 4] });
    await test.begin();
    expect(test.published()).toEqual(["train 6"]);
    await test.report("block-1", 6);
    expect(test.published()).toEqual(["train 6", "evaluate 7"]);
    await test.report("block-0", 6);
    expect(test.published()).toEqual(["train 6", "evaluate 7", "evaluate 8"]);
    await test.actor.stop();
  });

  it("does not fall back to what a block said before it answered", async () => {
    const test = await feeding({ consumed: [5, 5] });
    await test.report("block-1", 3); // overtaken by its own answer
    await test.begin();
    expect(test.published()).toEqual(["train 6", "evaluate 7"]);
    await test.actor.stop();
  });

  it("waits for blocks that do not answer yet", async () => {
    const scene = await createScene();
    const plan = createFeedingPlan({
      trainingSamples: SAMPLES,
      testSamples: SAMPLES,
      batchSize: 4,
      epochs: 1,
      seed: 1,
      evaluationSamples: SAMPLES,
      evaluationBatchSize: 8,
    });
    const options = {
      learners: ["block-0"],
      keepsUntil: "first",
      window: 2,
      isDropping: false,
      readyDeadlineMs: 1_000,
      augmentation: undefined,
      seed: 1,
      isDistilling: false,
    } as const;
    const create = () =>
      createFeederActor(
        { ...scene.options("feeder"), ...options },
        { ...scene.deps, dataset: fakeDataset(SAMPLES), plan },
      );
    const early = create();
    const starting = early.start();
    starting.catch(() => undefined); // looked at below
    await scene.clock.advance(2_000);
    await expect(starting).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });

    const patient = create();
    const restarting = patient.start();
    await scene.clock.advance(500);
    expect(patient.state).toBe("starting");
    await standIn(scene, "block-0", () => ({ kind: "ActorState", state: "running.idle", progress: progressOf(3) }));
    await scene.clock.advance(500);
    await restarting;
    expect(patient.state).toBe("holding");
    await patient.stop();
  });

  it("says that it holds still, again and again, until it is told to begin", async () => {
    const test = await feeding();
    expect(test.holds()).toBe(1);
    await test.scene.clock.advance(3 * RETRANSMIT_AFTER_MS);
    expect(test.holds()).toBe(4);
    expect(test.batches).toEqual([]);
    await test.begin();
    await test.scene.clock.advance(3 * RETRANSMIT_AFTER_MS);
    expect(test.holds()).toBe(4);
    await test.actor.stop();
    expect(test.scene.clock.pendingTimers).toBe(0);
  });

  it("repeats the end of an epoch until it is told to go on", async () => {
    const test = await feeding({ consumed: [8, 8] });
    await test.begin();
    for (const block of BLOCKS) await test.report(block, ITEMS_PER_EPOCH);
    const before = test.marks().length;
    expect(test.marks()[0]).toMatchObject({ mark: "epoch-ended", epoch: 1 });
    await test.scene.clock.advance(2 * RETRANSMIT_AFTER_MS);
    expect(test.marks()).toHaveLength(before + 2);
    await test.begin();
    await test.scene.clock.advance(2 * RETRANSMIT_AFTER_MS);
    expect(test.marks()).toHaveLength(before + 2);
    expect(test.published()).toEqual(["evaluate 9", "train 10", "train 11", "nothing 1-9"]);
    await test.actor.stop();
  });

  it("announces the end of an epoch once more after its own restart, then goes on with the next", async () => {
    const test = await feeding({ consumed: [ITEMS_PER_EPOCH, ITEMS_PER_EPOCH], fence: 2 });
    await test.begin();
    const [mark] = test.scene.events.filter(({ fact }) => fact.kind === "FeederMark");
    expect(mark).toMatchObject({
      header: { sequence: ITEMS_PER_EPOCH, step: STEPS_PER_EPOCH, fence: 2 },
      fact: { mark: "epoch-ended", epoch: 1 },
    });
    expect(test.published()).toEqual([]);
    await test.begin();
    expect(test.published()).toEqual(["train 10", "train 11"]);
    await test.actor.stop();
  });

  it("announces the end of the run once more after its own restart", async () => {
    const total = EPOCHS * ITEMS_PER_EPOCH;
    const test = await feeding({ consumed: [total, total] });
    await test.begin();
    expect(test.actor.state).toBe("finished");
    expect(test.marks().at(-1)).toMatchObject({ mark: "finished", epoch: EPOCHS });
    expect(test.published()).toEqual([]);
    await test.actor.stop();
  });

  it("continues after the last block's acknowledgement is lost and the first block has acknowledged everything", async () => {
    const test = await feeding();
    await test.begin();
    await test.report("block-0", 2);
    test.positions.splice(0, 2, 2, 2); // the Progress of block-1 is lost
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    await test.scene.settle();
    expect(test.published()).toEqual(["train 1", "train 2", "train 3", "train 4"]);
    await test.actor.stop();
    expect(test.scene.clock.pendingTimers).toBe(0);
  });

  it("repeats the request for a position until it is answered: it may be lost too", async () => {
    const test = await feeding();
    await test.begin();
    await test.report("block-0", 2);
    test.scene.broker.interrupt();
    test.positions.splice(0, 2, 2, 2);
    await test.scene.clock.advance(20 * RETRANSMIT_AFTER_MS);
    test.scene.broker.restore();
    await test.scene.clock.advance(3 * RETRANSMIT_AFTER_MS);
    expect(test.published()).toEqual(expect.arrayContaining(["train 3", "train 4"]));
    await test.actor.stop();
    expect(test.scene.clock.pendingTimers).toBe(0);
  });

  it("reaches the mark though the last acknowledgement of the epoch is lost", async () => {
    const test = await feeding({ consumed: [8, 8] });
    await test.begin();
    await test.report("block-0", ITEMS_PER_EPOCH);
    expect(test.actor.state).toBe("draining");
    test.positions.splice(0, 2, ITEMS_PER_EPOCH, ITEMS_PER_EPOCH);
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    await test.scene.settle();
    expect(test.marks()[0]).toMatchObject({ mark: "epoch-ended", epoch: 1 });
    await test.actor.stop();
  });

  it("keeps the pace of the slowest block", async () => {
    const test = await feeding();
    await test.begin();
    await test.report("block-0", 2);
    expect(test.published()).toEqual(["train 1", "train 2"]);
    await test.report("block-1", 1);
    expect(test.published()).toEqual(["train 1", "train 2", "train 3"]);
    await test.actor.stop();
  });

  it("repeats what the first block has not consumed, and no more", async () => {
    const test = await feeding();
    await test.begin();
    await test.report("block-0", 1);
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    const sent = test.batches.map((bytes) => {
      const frame = decodeFrame(bytes, { maxBytes: 1e6 });
      return frame.kind === "activation" ? frame.activation.header.sequence : frame.kind;
    });
    expect(sent).toEqual([1, 2, "gap", 2]); // what is consumed will not come again
    await test.actor.stop();
  });

  it("tells the first block what will not come again, when that has gone back in a new life", async () => {
    const test = await feeding();
    await test.begin();
    for (const block of BLOCKS) await test.report(block, 1);
    for (const block of BLOCKS) await test.report(block, 3);
    await test.scene.settle();
    test.batches.length = 0;
    await test.report("block-0", 1);
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    expect(test.published()).toEqual(["nothing 1-3", "train 4", "train 5"]);
    await test.actor.stop();
  });
});

describe("createFeederActor: a stop while it starts", () => {
  for (const moment of ["asks where the learners stand", "registers its service"] as const) {
    it(`leaves no service, subscription or timer behind when it ${moment}`, async () => {
      const scene = await createScene();
      let registered: () => void = () => undefined;
      const registering = new Promise<void>((resolve) => (registered = resolve));
      if (moment === "registers its service") {
        await standIn(scene, "block-0", () => ({ kind: "ActorState", state: "training", progress: progressOf(0) }));
      }
      const bus: typeof scene.bus = Object.create(scene.bus, {
        service: {
          value: async (definition: Parameters<typeof scene.bus.service>[0]) => {
            await registering;
            return scene.bus.service(definition);
          },
        },
      }) as typeof scene.bus;
      const plan = createFeedingPlan({
        ...{ trainingSamples: SAMPLES, testSamples: SAMPLES, batchSize: 4, epochs: 1, seed: 1 },
        ...{ evaluationSamples: SAMPLES, evaluationBatchSize: 8 },
      });
      const actor = createFeederActor(
        {
          ...scene.options("feeder"),
          ...{ learners: ["block-0"], keepsUntil: "first", window: 2, isDropping: false, readyDeadlineMs: 60_000 },
          ...{ augmentation: undefined, isDistilling: false },
        },
        { ...scene.deps, bus, dataset: fakeDataset(SAMPLES), plan },
      );
      const starting = actor.start();
      const rejected = expect(starting).rejects.toBeInstanceOf(Error);
      await scene.settle();
      const stopping = actor.stop();
      await scene.settle();
      registered();
      await scene.settle();
      await stopping;
      await rejected;
      expect(scene.bus.services.filter(({ name }) => name === "kn-feeder")).toEqual([]);
      expect(scene.clock.pendingTimers).toBe(0);
    });
  }
});

describe("createFeederActor: overload drop", () => {
  it("keeps the first block's pace in training, and the slowest one's in evaluation", async () => {
    const test = await feeding({ isDropping: true });
    await test.begin();
    expect(test.published()).toEqual(["train 1", "train 2"]);
    await test.report("block-0", 2);
    await test.report("block-0", 4);
    await test.report("block-0", 6);
    const training = [1, 2, 3, 4, 5, 6].map((sequence) => `train ${sequence}`);
    expect(test.published()).toEqual(training);
    await test.report("block-1", 5); // 3 and 4 were left out for it
    expect(test.published()).toEqual([...training, "evaluate 7"]);
    await test.report("block-0", 7);
    expect(test.published()).toEqual([...training, "evaluate 7"]);
    await test.report("block-1", 7);
    expect(test.published()).toEqual([...training, "evaluate 7", "evaluate 8", "evaluate 9"]);
    await test.actor.stop();
  });

  it("holds still at the end of an epoch only when the slowest block has consumed all of it", async () => {
    const test = await feeding({ isDropping: true, consumed: [7, 7] });
    await test.begin();
    await test.report("block-0", ITEMS_PER_EPOCH);
    expect(test.published()).toEqual(["evaluate 8", "evaluate 9"]);
    expect(test.marks()).toEqual([]);
    await test.report("block-1", ITEMS_PER_EPOCH);
    expect(test.marks()[0]).toMatchObject({ mark: "epoch-ended", epoch: 1 });
    await test.actor.stop();
  });
});
