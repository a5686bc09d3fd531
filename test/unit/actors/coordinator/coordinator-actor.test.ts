import { describe, expect, it } from "vitest";
import { type CoordinatorOptions, createCoordinator } from "../../../../src/actors/coordinator/index.ts";
import type { CommandReply, FeederMark } from "../../../../src/messages/index.ts";
import { createScene, progressOf, standIn, TIMELINE } from "../actor-scene.ts";

const BLOCKS = ["block-0", "block-1"];
const STATEFUL = [...BLOCKS, "gradient-0"];

const digestOf = (actor: string, generation: number): string =>
  Buffer.from(`${actor}.${generation}`).toString("hex").padEnd(64, "0");

/** A coordinator of two blocks and a gradient model that do as they are told, and of a feeder that the test speaks for. */
async function coordinating(changes: Partial<CoordinatorOptions> = {}) {
  const scene = createScene();
  const state: CommandReply = { kind: "ActorState", state: "running.idle", progress: progressOf(0) };
  const feeder = await standIn(scene, "feeder", (command) =>
    command.kind === "ReportState" ? state : { kind: "Done" },
  );
  const actors = await Promise.all(
    STATEFUL.map(async (actor) =>
      standIn(scene, actor, (command) =>
        command.kind === "SaveCheckpoint"
          ? { kind: "CheckpointSaved", name: actor, digest: digestOf(actor, command.generation), sizeBytes: 1 }
          : state,
      ),
    ),
  );
  const coordinator = createCoordinator(
    {
      ...scene.options("coordinator"),
      feeder: "feeder",
      learners: BLOCKS,
      companions: ["gradient-0"],
      others: [],
      phase: "training",
      readyDeadlineMs: 60_000,
      stopDeadlineMs: 4_000,
      timeline: TIMELINE,
      ...changes,
    },
    scene.deps,
  );
  await coordinator.start();
  await scene.settle();
  return {
    scene,
    coordinator,
    /** Kinds of the commands that the feeder got, without questions. */
    fed: () => feeder.orders.map(({ kind }) => kind).filter((kind) => kind !== "ReportState"),
    /** Generations that each stateful actor was told to save. */
    saves: () =>
      actors.map(({ orders }) =>
        orders.flatMap((order) => (order.kind === "SaveCheckpoint" ? [order.generation] : [])),
      ),
    orders: () => [feeder, ...actors].reduce((sum, { orders }) => sum + orders.length, 0),
    async mark(mark: FeederMark["mark"], epoch: number, position: { sequence: number; step: number }) {
      scene.tell("feeder", { kind: "FeederMark", mark, epoch, evaluation: 0 }, position);
      await scene.settle();
      await scene.settle();
    },
    /** The actor has saved by itself. */
    async saved(actor: string, generation: number, sequence = generation) {
      const fact = { kind: "CheckpointSaved", name: actor, digest: digestOf(actor, generation), sizeBytes: 1 } as const;
      scene.tell(actor, fact, { step: generation, sequence });
      await scene.settle();
    },
  };
}

const digests = (generation: number): Record<string, string> =>
  Object.fromEntries(STATEFUL.map((actor) => [actor, digestOf(actor, generation)]));

describe("createCoordinator", () => {
  it("has the feeder begin once everybody answers, and again whenever it says that it holds still", async () => {
    const test = await coordinating();
    expect(test.fed()).toEqual(["StartFeeding"]);
    test.scene.tell("feeder", { kind: "StateEntered", state: "holding" });
    await test.scene.settle();
    expect(test.fed()).toEqual(["StartFeeding", "StartFeeding"]);
    test.scene.tell("block-0", { kind: "StateEntered", state: "holding" });
    test.scene.tell("feeder", { kind: "StateEntered", state: "draining" });
    await test.scene.settle();
    expect(test.fed()).toHaveLength(2);
    expect(test.coordinator.state).toBe("feeding");
  });

  it("saves everybody at the end of an epoch, under the step that they have reached, and has the feeder go on", async () => {
    const test = await coordinating();
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    expect(test.saves()).toEqual([[9], [9], [9]]);
    expect(test.scene.checkpoints.committed).toEqual([
      {
        phase: "training",
        timeline: TIMELINE,
        generation: 9,
        sequence: 12,
        step: 9,
        epoch: 1,
        actors: digests(9),
      },
    ]);
    expect(test.fed()).toEqual(["StartFeeding", "StartFeeding"]);
    expect(test.coordinator.record).toMatchObject({ epochs: 1, step: 9, generation: 9 });
  });

  it("answers a mark that is repeated by telling the feeder to go on once more, without another save", async () => {
    const test = await coordinating();
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    expect(test.saves()).toEqual([[9], [9], [9]]);
    expect(test.fed()).toEqual(["StartFeeding", "StartFeeding", "StartFeeding"]);
    await test.mark("epoch-ended", 2, { sequence: 24, step: 18 });
    expect(test.saves()).toEqual([
      [9, 18],
      [9, 18],
      [9, 18],
    ]);
  });

  it("completes the run after the last mark", async () => {
    const test = await coordinating();
    await test.mark("finished", 2, { sequence: 24, step: 18 });
    expect(await test.coordinator.ended).toEqual({ outcome: "completed" });
    expect(test.scene.checkpoints.committed).toMatchObject([{ generation: 18, sequence: 24 }]);
    expect(test.fed()).toEqual(["StartFeeding"]);
  });

  it("goes on from the record of the one before it", async () => {
    const evaluation = { evaluation: 1, step: 9, samples: 10, accuracy: 0.5, loss: 1, atMs: 1 };
    const switched = { actor: "block-0", step: 3, from: "auxiliary", to: "synthetic", reason: "better" };
    const record = {
      evaluations: [evaluation],
      switches: [switched],
      teachers: [],
      progress: {},
      epochs: 1,
      step: 9,
      generation: 9,
    };
    const test = await coordinating({ record, fence: 2 });
    expect(test.coordinator.record).toMatchObject({ ...record, progress: { "block-0": { kind: "Progress" } } });
    expect(test.coordinator.published).toBe(9);
    test.scene.tell(
      "block-1",
      { kind: "EvaluationMeasured", evaluation: 2, correct: 8, samples: 10, lossSum: 5 },
      { step: 18 },
    );
    await test.scene.settle();
    expect(test.coordinator.record.evaluations).toMatchObject([
      evaluation,
      { evaluation: 2, step: 18, accuracy: 0.8, loss: 0.5 },
    ]);
  });
});

describe("createCoordinator: checkpoints that actors save by themselves", () => {
  it("declares a generation complete when all have saved it, at the first block's sequence", async () => {
    const test = await coordinating();
    await test.saved("block-1", 100, 103);
    await test.saved("block-0", 100, 104);
    expect(test.scene.checkpoints.committed).toEqual([]);
    await test.saved("gradient-0", 100, 0);
    expect(test.scene.checkpoints.committed).toEqual([
      {
        phase: "training",
        timeline: TIMELINE,
        generation: 100,
        sequence: 104,
        step: 100,
        epoch: 0,
        actors: digests(100),
      },
    ]);
    expect(test.coordinator.record).toMatchObject({ generation: 100, step: 100 });
    expect(test.saves()).toEqual([[], [], []]);
  });

  it("does not declare one complete that an actor has left out, nor an older one afterwards", async () => {
    const test = await coordinating();
    for (const actor of ["block-0", "gradient-0"]) await test.saved(actor, 100);
    for (const actor of STATEFUL) await test.saved(actor, 200);
    await test.saved("block-1", 100);
    expect(test.scene.checkpoints.committed.map(({ generation }) => generation)).toEqual([200]);
  });

  it("counts no save twice, and none of somebody who is not part of it", async () => {
    const test = await coordinating();
    for (const actor of ["block-0", "block-0", "block-1", "block-7", "feeder"]) await test.saved(actor, 100);
    expect(test.scene.checkpoints.committed).toEqual([]);
    await test.saved("gradient-0", 100);
    expect(test.scene.checkpoints.committed).toMatchObject([{ actors: digests(100) }]);
  });

  it("goes on when a generation cannot be declared complete: the next one will be", async () => {
    const test = await coordinating();
    test.scene.checkpoints.refusal = new Error("away");
    for (const actor of STATEFUL) await test.saved(actor, 100);
    test.scene.checkpoints.refusal = undefined;
    expect(test.coordinator.state).toBe("feeding");
    expect(test.coordinator.record.generation).toBe(0);
    for (const actor of STATEFUL) await test.saved(actor, 200);
    expect(test.scene.checkpoints.committed.map(({ generation }) => generation)).toEqual([200]);
  });
});

describe("createCoordinator: its end", () => {
  it("abandoned, ends without a word to anybody", async () => {
    const test = await coordinating();
    const before = test.orders();
    test.coordinator.abandon();
    expect(await test.coordinator.ended).toEqual({ outcome: "abandoned" });
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    for (const actor of STATEFUL) await test.saved(actor, 100);
    expect(test.orders()).toBe(before);
    expect(test.scene.checkpoints.committed).toEqual([]);
  });

  it("a failure that nobody can mend fails the run; others are for watchers", async () => {
    const test = await coordinating();
    for (const directive of ["resume", "restart", "stop"] as const) {
      test.scene.tell("supervisor", { kind: "Failure", code: "KN_NUMERIC", message: "not finite", directive });
    }
    await test.scene.settle();
    expect(test.coordinator.state).toBe("feeding");
    test.scene.tell("supervisor", { kind: "Failure", code: "KN_SHAPE", message: "of 3", directive: "escalate" });
    await test.scene.settle();
    expect(await test.coordinator.ended).toMatchObject({ outcome: "failed", error: { code: "KN_SHAPE" } });
  });

  it("a failure that is reported to it fails the run with that error", async () => {
    const test = await coordinating();
    const error = new Error("gone");
    test.coordinator.reportFailure(error);
    expect(await test.coordinator.ended).toEqual({ outcome: "failed", error });
  });
});
