import { describe, expect, it } from "vitest";
import { type CoordinatorOptions, createCoordinator } from "../../../../src/actors/coordinator/index.ts";
import { type Command, type CommandReply, failureOf, type FeederMark } from "../../../../src/messages/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { failAlways, failTimes } from "../../../support/failing-store.ts";
import { ATTEMPT, createScene, failure, floats, FULL_DISK, progressOf, standIn } from "../actor-scene.ts";

const BLOCKS = ["block-0", "block-1"];
const STATEFUL = [...BLOCKS, "gradient-0"];

type Answer = CommandReply | Promise<CommandReply>;

/** A coordinator of two blocks and a gradient model that do as they are told, and of a feeder that the test speaks for. */
async function coordinating(changes: Partial<CoordinatorOptions> = {}) {
  const scene = await createScene();
  const state: CommandReply = { kind: "ActorState", state: "running.idle", progress: progressOf(0) };
  const feeder = await standIn(scene, "feeder", (command) =>
    command.kind === "ReportState" ? state : { kind: "Done" },
  );
  /** The actor's state gets into the store; a write under way is not begun again. */
  const writes = new Map<string, ReturnType<typeof write>>();
  const store = (actor: string, generation: number) => {
    const key = `${actor}.${generation}`;
    const written = writes.get(key) ?? write(actor, generation);
    writes.set(key, written);
    return written;
  };
  const write = async (actor: string, generation: number) => {
    const states = scene.checkpoints.statesOf(actor, { attempt: ATTEMPT, fence: 1 });
    const content = { metadata: { actor, step: String(generation) }, tensors: { w: floats([1], generation) } };
    const { name, digest, sizeBytes } = await states.save({ attempt: ATTEMPT, generation }, content);
    return { kind: "CheckpointSaved", name, digest, sizeBytes } as const;
  };
  /** Answers of an actor that differ from the usual ones. */
  const answers: Record<string, ((command: Command) => Answer | undefined) | undefined> = {};
  const usual = (actor: string, command: Command): Answer => {
    if (command.kind === "ReportState") return state;
    return command.kind === "SaveCheckpoint" ? store(actor, command.generation) : { kind: "Done" };
  };
  const actors = await Promise.all(
    STATEFUL.map((actor) => standIn(scene, actor, (command) => answers[actor]?.(command) ?? usual(actor, command))),
  );
  const coordinator = createCoordinator(
    {
      ...scene.options("coordinator"),
      feeder: "feeder",
      learners: BLOCKS,
      gradientModels: ["gradient-0"],
      teachers: [],
      phase: "training",
      readyDeadlineMs: 60_000,
      stopDeadlineMs: 4_000,
      attempt: ATTEMPT,
      ...changes,
    },
    scene.deps,
  );
  await coordinator.start();
  await scene.settle();
  return {
    scene,
    coordinator,
    answers,
    /** Kinds of the commands that the feeder got, without questions. */
    fed: () => feeder.orders.map(({ kind }) => kind).filter((kind) => kind !== "ReportState"),
    /** Generations that each stateful actor was told to save. */
    saves: () =>
      actors.map(({ orders }) =>
        orders.flatMap((order) => (order.kind === "SaveCheckpoint" ? [order.generation] : [])),
      ),
    /** Generations that each stateful actor was told to prepare or to abandon, as "+10", "-10". */
    prepared: () =>
      actors.map(({ orders }) =>
        orders.flatMap((order) => {
          if (order.kind === "PrepareCheckpoint") return [`+${order.generation}`];
          return order.kind === "AbandonCheckpoint" ? [`-${order.generation}`] : [];
        }),
      ),
    /** A learner has taken the batch of this step. */
    async progress(step: number, actor = "block-0", fence = 0) {
      scene.tell(actor, progressOf(step, { step }), { step, sequence: step + 3, fence });
      await scene.settle();
    },
    committed: () => scene.checkpoints.manifests(),
    /** Of what each actor has in the store of this generation. */
    async digests(generation: number): Promise<Readonly<Record<string, string | undefined>>> {
      const digestOf = async (actor: string) => {
        const states = await scene.checkpoints.statesOf(actor, { attempt: ATTEMPT, fence: 1 }).list();
        return states.find((each) => each.generation === generation)?.digest;
      };
      return Object.fromEntries(await Promise.all(STATEFUL.map(async (each) => [each, await digestOf(each)] as const)));
    },
    orders: () => [feeder, ...actors].reduce((sum, { orders }) => sum + orders.length, 0),
    async mark(
      mark: FeederMark["mark"],
      epoch: number,
      position: { sequence: number; step: number },
      [evaluation, evaluationSamples]: readonly [number, number] = [0, 0],
    ) {
      scene.tell("feeder", { kind: "FeederMark", mark, epoch, evaluation, evaluationSamples }, position);
      await scene.settle();
      await scene.settle();
    },
    store,
    /** The actor saves and reports it. */
    async saved(actor: string, generation: number, fence = 0) {
      const fact = await store(actor, generation);
      scene.tell(actor, fact, { step: generation, sequence: generation, fence });
      await scene.settle();
    },
  };
}

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

  it("counts a mark that arrived while it awaited the actors at its next arrival, and ends the run then", async () => {
    const test = await coordinating({ teachers: ["teacher-0"] });
    expect(test.coordinator.state).toBe("preparing"); // the teacher does not answer yet
    const at = { sequence: 24, step: 18 };
    await test.mark("finished", 2, at);
    await standIn(test.scene, "teacher-0", () => ({ kind: "ActorState", state: "running", progress: progressOf(0) }));
    await test.scene.clock.advance(1_000);
    expect(test.coordinator.state).toBe("feeding");
    const commands = test.fed().length;
    await test.mark("finished", 2, at);
    expect(test.fed()).toHaveLength(commands);
    expect(test.saves()).toEqual([[18], [18], [18]]);
    expect(await test.coordinator.ended).toBeUndefined();
    expect(test.coordinator.outcome).toBe("completed");
  });

  it("saves everybody at the end of an epoch, under the step that they have reached, and has the feeder go on", async () => {
    const test = await coordinating();
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    expect(test.saves()).toEqual([[9], [9], [9]]);
    expect(await test.committed()).toEqual([
      {
        phase: "training",
        attempt: ATTEMPT,
        generation: 9,
        sequence: 12,
        step: 9,
        epoch: 1,
        actors: await test.digests(9),
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
    expect(await test.coordinator.ended).toBeUndefined();
    expect(test.coordinator.outcome).toBe("completed");
    expect(await test.committed()).toMatchObject([{ generation: 18, sequence: 24 }]);
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

describe("createCoordinator: checkpoints within an epoch", () => {
  const WITHIN = { saveEverySteps: 10, window: 4 } as const;

  it("orders one generation beyond what any actor can have passed, and commits it when all have saved it", async () => {
    const test = await coordinating(WITHIN);
    expect(test.prepared()).toEqual([[], [], []]);
    await test.progress(7); // with the window it may be at 11
    expect(test.prepared()).toEqual([["+20"], ["+20"], ["+20"]]);
    await test.progress(21);
    for (const actor of ["gradient-0", "block-1"]) await test.saved(actor, 20);
    expect(await test.committed()).toEqual([]);
    await test.saved("block-0", 20);
    expect(await test.committed()).toMatchObject([
      { phase: "training", attempt: ATTEMPT, generation: 20, step: 20, epoch: 0, actors: await test.digests(20) },
    ]);
    expect(test.coordinator.record).toMatchObject({ generation: 20, step: 20 });
    await test.progress(22);
    expect(test.prepared()[0]).toEqual(["+20", "+30"]);
  });

  it("orders no checkpoint within an epoch where none is wanted", async () => {
    const test = await coordinating({ saveEverySteps: 0 });
    await test.progress(1_000);
    expect(test.prepared()).toEqual([[], [], []]);
  });

  it("withdraws a generation that an actor is past, and picks a later one", async () => {
    const test = await coordinating(WITHIN);
    test.answers["block-1"] = ({ kind }) =>
      kind === "PrepareCheckpoint" ? { ...failureOf(failure("KN_STALE")) } : undefined;
    await test.progress(1);
    await test.scene.settle();
    expect(test.prepared()).toEqual(STATEFUL.map(() => ["+10", "-10"]));
    delete test.answers["block-1"];
    await test.progress(2);
    expect(test.prepared()[1]).toEqual(["+10", "-10", "+20"]);
  });

  it("skips a generation for every actor when one restarts before it has saved, and commits the next", async () => {
    const test = await coordinating(WITHIN);
    await test.progress(1, "block-1", 1);
    await test.saved("block-0", 10);
    await test.progress(9, "block-1", 2);
    expect(test.prepared()).toEqual(STATEFUL.map(() => ["+10", "-10", "+20"]));
    for (const actor of STATEFUL) await test.saved(actor, 10);
    expect(await test.committed()).toEqual([]);
    for (const actor of STATEFUL) await test.saved(actor, 20, actor === "block-1" ? 2 : 0);
    expect((await test.committed()).map(({ generation }) => generation)).toEqual([20]);
  });

  it("asks actors again whose report was lost, and takes the digest from the reply", async () => {
    const test = await coordinating(WITHIN);
    await test.progress(1);
    for (const actor of BLOCKS) await test.saved(actor, 10);
    test.answers["gradient-0"] = ({ kind }) =>
      kind === "PrepareCheckpoint" ? test.store("gradient-0", 10) : undefined;
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    await test.scene.settle();
    expect(test.prepared()).toEqual([["+10"], ["+10"], ["+10", "+10"]]);
    expect(await test.committed()).toMatchObject([{ generation: 10, actors: await test.digests(10) }]);
  });

  it("has one request under way to an actor that does not answer, however long it stays away", async () => {
    const test = await coordinating(WITHIN);
    test.answers["gradient-0"] = ({ kind }) =>
      kind === "PrepareCheckpoint" ? new Promise<never>(() => undefined) : undefined;
    await test.progress(1);
    for (const actor of BLOCKS) await test.saved(actor, 10);
    await test.scene.clock.advance(26_000);
    // A request is repeated when its answer is 5 s late.
    expect(test.prepared()[2]).toEqual(["+10", "+10", "+10", "+10", "+10", "+10"]);
  });

  it("abandons a generation that an actor does not save by the deadline", async () => {
    const test = await coordinating({ ...WITHIN, saveDeadlineMs: 20_000 });
    await test.progress(1);
    await test.saved("block-0", 10);
    await test.scene.clock.advance(20_000);
    expect(test.prepared().map((orders) => orders.at(-1))).toEqual(["-10", "-10", "-10"]);
    await test.progress(12);
    expect(test.prepared()[0]?.at(-1)).toBe("+20");
    test.coordinator.abandon();
    await test.coordinator.ended;
    expect(test.scene.clock.pendingTimers).toBe(0);
  });

  it("counts no save twice, and none of an actor that is not part of the run", async () => {
    const test = await coordinating(WITHIN);
    await test.progress(1);
    for (const actor of ["block-0", "block-0", "block-1", "block-7", "feeder"]) await test.saved(actor, 10);
    expect(await test.committed()).toEqual([]);
    await test.saved("gradient-0", 10);
    expect(await test.committed()).toMatchObject([{ actors: await test.digests(10) }]);
  });

  it("continues when a generation cannot be committed: the next one replaces it", async () => {
    const test = await coordinating(WITHIN);
    await test.progress(1);
    test.scene.faults.now = failAlways({ kind: "kv", isChange: true });
    for (const actor of STATEFUL) await test.saved(actor, 10);
    test.scene.faults.now = undefined;
    expect(test.coordinator.state).toBe("feeding");
    expect(test.coordinator.record.generation).toBe(0);
    await test.progress(11);
    for (const actor of STATEFUL) await test.saved(actor, 20);
    expect((await test.committed()).map(({ generation }) => generation)).toEqual([20]);
  });

  it("commits in the order of generations: a slow commit never sets the record back", async () => {
    const test = await coordinating(WITHIN);
    await test.progress(1);
    test.scene.faults.now = failTimes(1, { kind: "kv", isChange: true }, { kind: "slow", delayMs: 1_000 });
    for (const actor of STATEFUL) await test.saved(actor, 10);
    await test.mark("epoch-ended", 1, { sequence: 14, step: 12 });
    expect(test.coordinator.state).toBe("saving");
    expect(await test.committed()).toEqual([]);
    await test.scene.clock.advance(1_000);
    await test.scene.settle();
    expect((await test.committed()).map(({ generation }) => generation)).toEqual([12, 10]);
    expect(test.coordinator.record).toMatchObject({ generation: 12, step: 12 });
  });
});

describe("createCoordinator: evaluations", () => {
  const measured = (samples: number, evaluation = 1) =>
    ({ kind: "EvaluationMeasured", evaluation, correct: samples / 2, samples, lossSum: samples }) as const;

  it("keeps the measurement with more samples", async () => {
    const test = await coordinating();
    test.scene.tell("block-1", measured(80), { step: 9, sequence: 12 });
    test.scene.tell("block-1", measured(20), { step: 9, sequence: 13 });
    await test.scene.settle();
    expect(test.coordinator.record.evaluations).toMatchObject([{ evaluation: 1, samples: 80, accuracy: 0.5 }]);
  });

  it("answers ReportState with the newest measurement and its sequence: a learner that crashed continues it", async () => {
    const test = await coordinating();
    test.scene.tell("block-1", measured(80), { step: 9, sequence: 12 });
    await test.scene.settle();
    const reply = test.scene.order("coordinator", { kind: "ReportState" });
    await test.scene.settle();
    expect(await reply).toMatchObject({ kind: "ActorState", evaluation: measured(80), progress: { consumed: 12 } });
  });

  it("fails an evaluation that stays short, and no other", async () => {
    const test = await coordinating();
    test.scene.tell("block-1", measured(80), { step: 9, sequence: 12 });
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 }, [1, 100]);
    const failures = test.scene.facts("coordinator", "Failure");
    expect(failures).toMatchObject([{ code: "KN_UNAVAILABLE", directive: "resume" }]);
    expect(failures[0]?.message).toContain("evaluation 1");
    expect(test.coordinator.state).toBe("feeding");
    test.scene.tell("block-1", measured(100, 2), { step: 18, sequence: 24 });
    await test.mark("epoch-ended", 2, { sequence: 24, step: 18 }, [2, 100]);
    expect(test.scene.facts("coordinator", "Failure")).toHaveLength(1);
  });
});

describe("createCoordinator: a checkpoint that fails", () => {
  const failingSave = (command: Command): CommandReply | undefined =>
    command.kind === "SaveCheckpoint" ? failureOf(failure("KN_CHECKPOINT")) : undefined;
  const warnings = (test: Awaited<ReturnType<typeof coordinating>>) =>
    test.scene.facts("coordinator", "Failure").map(({ code, directive }) => `${code} ${directive}`);

  it("at the end of an epoch is tried again, and committed when the failure has passed", async () => {
    const test = await coordinating();
    test.answers["block-1"] = failingSave;
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    expect(test.coordinator.state).toBe("saving");
    delete test.answers["block-1"];
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    expect(test.coordinator.state).toBe("feeding");
    expect(await test.committed()).toMatchObject([{ generation: 9, actors: await test.digests(9) }]);
    expect(warnings(test)).toEqual([]);
  });

  it("that an actor takes minutes to write is waited for: it answers when the state is durable", async () => {
    const test = await coordinating();
    const slow = { kind: "slow", delayMs: 200_000 } as const;
    test.scene.faults.now = failTimes(1, { kind: "blobs", operation: "put" }, slow);
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    await test.scene.clock.advance(199_000);
    expect(test.coordinator.state).toBe("saving");
    await test.scene.clock.advance(10_000);
    expect(test.coordinator.state).toBe("feeding");
    expect(await test.committed()).toMatchObject([{ generation: 9, actors: await test.digests(9) }]);
  });

  for (const part of ["save", "commit"] as const) {
    it(`at the end of an epoch is abandoned with a warning when every ${part} fails, and the run continues`, async () => {
      const test = await coordinating();
      if (part === "save") test.answers["block-1"] = failingSave;
      else test.scene.faults.now = FULL_DISK.records;
      await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
      await test.scene.clock.advance(10 * RETRANSMIT_AFTER_MS);
      expect(test.coordinator.state).toBe("feeding");
      expect(test.saves()[0]).toEqual([9, 9, 9]);
      expect(warnings(test)).toEqual(["KN_CHECKPOINT resume"]);
      delete test.answers["block-1"];
      test.scene.faults.now = undefined;
      await test.mark("epoch-ended", 2, { sequence: 24, step: 18 });
      expect((await test.committed()).map(({ generation }) => generation)).toEqual([18]);
    });
  }

  it("at the end of the run is tried until the failure has passed", async () => {
    const test = await coordinating({ saveDeadlineMs: 60_000 });
    test.answers["block-1"] = failingSave;
    await test.mark("finished", 2, { sequence: 24, step: 18 });
    await test.scene.clock.advance(50_000);
    expect(test.coordinator.state).toBe("saving");
    delete test.answers["block-1"];
    await test.scene.clock.advance(RETRANSMIT_AFTER_MS);
    expect(await test.coordinator.ended).toBeUndefined();
    expect(test.coordinator.outcome).toBe("completed");
    expect((await test.committed()).map(({ generation }) => generation)).toEqual([18]);
  });

  it("at the end of the run fails it with KN_CHECKPOINT at the save deadline", async () => {
    const test = await coordinating({ saveDeadlineMs: 60_000 });
    test.answers["block-1"] = failingSave;
    await test.mark("finished", 2, { sequence: 24, step: 18 });
    await test.scene.clock.advance(60_000 + RETRANSMIT_AFTER_MS);
    expect(await test.coordinator.ended).toMatchObject({ code: "KN_CHECKPOINT" });
    expect(test.scene.clock.pendingTimers).toBe(0);
  });

  it("by a failure that does not pass fails the run at once, and leaves no request to another actor behind", async () => {
    const test = await coordinating();
    test.answers["block-0"] = ({ kind }) =>
      kind === "SaveCheckpoint" ? failureOf(failure("KN_UNAVAILABLE")) : undefined;
    test.answers["block-1"] = ({ kind }) =>
      kind === "SaveCheckpoint" ? failureOf(failure("KN_INVARIANT")) : undefined;
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    expect(await test.coordinator.ended).toMatchObject({ code: "KN_INVARIANT" });
    expect(test.scene.clock.pendingTimers).toBe(0);
  });
});

describe("createCoordinator: a stop", () => {
  it("saves every actor as it stands when the batches in flight are not consumed by the stop deadline", async () => {
    const test = await coordinating();
    for (const [index, actor] of STATEFUL.entries()) {
      const progress = progressOf(9 - index, { step: 7 - index });
      test.answers[actor] = ({ kind }) =>
        kind === "ReportState" ? { kind: "ActorState", state: "training", progress } : undefined;
    }
    test.coordinator.requestStop();
    await test.scene.clock.advance(4_000);
    await test.scene.settle();
    expect(await test.coordinator.ended).toBeUndefined();
    expect(test.coordinator.outcome).toBe("stopped");
    expect(test.saves()).toEqual([[7], [7], [7]]);
    expect(await test.committed()).toMatchObject([{ generation: 7, step: 7, sequence: 9 }]);
  });
});

describe("createCoordinator: its end", () => {
  it("abandoned, ends without a word to anybody", async () => {
    const test = await coordinating();
    const before = test.orders();
    test.coordinator.abandon();
    expect(await test.coordinator.ended).toBeUndefined();
    expect(test.coordinator.outcome).toBe("abandoned");
    await test.mark("epoch-ended", 1, { sequence: 12, step: 9 });
    for (const actor of STATEFUL) await test.saved(actor, 100);
    expect(test.orders()).toBe(before);
    expect(await test.committed()).toEqual([]);
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
    expect(await test.coordinator.ended).toMatchObject({ code: "KN_SHAPE" });
    expect(test.coordinator.outcome).toBe("failed");
  });

  it("a failure that is reported to it fails the run with that error", async () => {
    const test = await coordinating();
    const error = new Error("gone");
    test.coordinator.reportFailure(error);
    expect(await test.coordinator.ended).toBe(error);
  });
});
