/**
 * Feeder, blocks and coordinator as they are, over a broker that goes down at random; only the mathematics is a fake that
 * writes down what it was given. Every block gets every batch once and in order, and the run ends as usual.
 */
import { expect, it } from "vitest";
import { DEFAULT_MAX_FRAME_BYTES } from "../../../../src/messages/index.ts";
import { createBlockActor } from "../../../../src/actors/block/index.ts";
import { createCoordinator } from "../../../../src/actors/coordinator/index.ts";
import { createFeederActor, createFeedingPlan } from "../../../../src/actors/feeder/index.ts";
import { type Actor, createSupervisor, type Supervisor } from "../../../../src/runtime/actor/index.ts";
import { isKnowledgeNetError } from "../../../../src/errors/index.ts";
import { type Manifest, openCheckpoints, scopeOfRun } from "../../../../src/runtime/artifacts/index.ts";
import { createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { printedSeed, randomFrom } from "../../../support/random.ts";
import { ATTEMPT, memoryOf, unaccounted } from "../actor-scene.ts";
import { fakeDataset } from "../fake-dataset.ts";
import { type FakeBlock, fakeBlock } from "../fake-units.ts";

const SAMPLES = 96;
const BATCH = 4;
const STEPS_PER_EPOCH = SAMPLES / BATCH;
const WINDOW = 4;
/** The broker is up 4 % of the time in the longest test: most requests are lost, and each costs its timeout of 5 s. */
const READY_DEADLINE_MS = 3_600_000;
const BLOCKS = ["block-0", "block-1", "block-2"];

interface PipelineOptions {
  readonly isLocked: boolean;
  readonly epochs: number;
  readonly evaluateEverySteps?: number;
  readonly saveEverySteps: number;
  /** The middle block's first incarnation fails on this step. */
  readonly failsAtStep?: number;
  /** How long a block works on a batch, ms. @default no time */
  readonly workMs?: number;
  /** Told of each training step that a block begins. */
  readonly onStep?: (block: number, step: number) => void;
}

/** A whole run in simulated time: three blocks under supervision, each incarnation of one with a mathematics of its own. */
async function pipeline(options: PipelineOptions) {
  const { isLocked, epochs, evaluateEverySteps, saveEverySteps, failsAtStep, onStep, workMs } = options;
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const bus = broker.connect({ clock });
  const checkpoints = await openCheckpoints(await memoryStore({ clock }), scopeOfRun("pipeline"));
  const committed: Manifest[] = [];
  const deps = { bus, clock, log: silentLogger };
  const common = (id: string, fence: number) => ({
    run: "pipeline",
    id,
    fence,
    maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
    softwareVersion: "0.0.0",
    metadata: {},
  });
  const plan = createFeedingPlan({
    trainingSamples: SAMPLES,
    testSamples: SAMPLES,
    batchSize: BATCH,
    epochs,
    seed: 1,
    ...(evaluateEverySteps === undefined ? {} : { evaluateEverySteps }),
    evaluationSamples: 20,
    evaluationBatchSize: 8,
  });
  const directives: string[] = [];
  const units: FakeBlock[][] = BLOCKS.map(() => []);
  const lives = BLOCKS.map(() => 0);
  const supervise = (id: string, index: number): Supervisor => {
    const isFirst = index === 0;
    const isLast = index === BLOCKS.length - 1;
    const isLater = isLocked && !isLast;
    return createSupervisor(
      {},
      {
        clock,
        log: silentLogger,
        onFailure: (_, directive) => directives.push(directive),
        factory() {
          const life = (lives[index] = (lives[index] ?? 0) + 1);
          const isFailing = index === 1 && life === 1 && failsAtStep !== undefined;
          const unit = fakeBlock({
            ...{ isFirst, isLast, isLater },
            onStep: (step) => onStep?.(index, step),
            ...(workMs === undefined ? {} : { work: () => clock.sleep(workMs) }),
            ...(isFailing ? { failsAtStep } : {}),
          });
          units[index]?.push(unit);
          return createBlockActor(
            {
              ...common(id, life),
              index,
              blocks: BLOCKS.length,
              activationCodec: "int8-channel",
              gradientCodec: "bf16",
              window: WINDOW,
              isGating: isLater,
              appliesReturned: isLater,
              isGradientModelElsewhere: false,
              isPreviousGating: isLocked && !isFirst,
              isDropping: false,
            },
            {
              ...deps,
              memory: memoryOf(id, checkpoints, { fence: life }),
              openUnit: () => Promise.resolve(unit.handle),
            },
          );
        },
      },
    );
  };
  /** As a node does: an actor that comes while the server is away is tried again. */
  const untilThere = async (start: () => Promise<void>): Promise<void> => {
    for (;;) {
      try {
        await start();
        return;
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      }
      await clock.sleep(2_000);
    }
  };
  const supervisors = BLOCKS.map(supervise);
  for (const supervisor of supervisors) await supervisor.start();
  let feeders = 0;
  const createFeeder = (): Actor =>
    createFeederActor(
      {
        ...common("feeder", (feeders += 1)),
        learners: BLOCKS,
        keepsUntil: "first",
        window: WINDOW,
        isDropping: false,
        readyDeadlineMs: READY_DEADLINE_MS,
        augmentation: undefined,
        isDistilling: false,
      },
      { ...deps, dataset: fakeDataset(SAMPLES), plan },
    );
  let feeder = createFeeder();
  await feeder.start();
  const coordinator = createCoordinator(
    {
      ...common("coordinator", 1),
      feeder: "feeder",
      learners: BLOCKS,
      gradientModels: [],
      teachers: [],
      phase: "training",
      readyDeadlineMs: READY_DEADLINE_MS,
      stopDeadlineMs: 4_000,
      saveEverySteps,
      window: WINDOW,
      attempt: ATTEMPT,
    },
    {
      ...deps,
      checkpoints: {
        ...checkpoints,
        async commit(manifest, fence) {
          await checkpoints.commit(manifest, fence);
          committed.push(manifest);
        },
      },
    },
  );
  await coordinator.start();

  return {
    clock,
    broker,
    plan,
    checkpoints,
    /** Oldest first, those beyond retention included. */
    committed,
    coordinator,
    directives,
    units,
    /** A block is told to leave, or goes without a word and a save. @returns what has it come back. */
    async leave(index: number, { isSaving = true } = {}) {
      await supervisors[index]?.actor.stop({ isSaving });
      return async () => {
        await untilThere(() => {
          const back = supervise(BLOCKS[index] ?? "", index);
          supervisors[index] = back;
          return back.start();
        });
      };
    },
    async replaceFeeder() {
      await feeder.stop();
      await untilThere(() => {
        feeder = createFeeder();
        return feeder.start();
      });
    },
    /** Turns until the run has ended. One that stands still says where, instead of waiting for ever. */
    async run(turn: () => Promise<void>) {
      let hasEnded = false;
      void coordinator.ended.then(() => {
        hasEnded = true;
      });
      for (let turns = 0; !hasEnded && turns < 5_000; turns += 1) await turn();
      const states = [feeder, ...supervisors.map(({ actor }) => actor), coordinator].map(({ id, state }) => [
        id,
        state,
      ]);
      expect(hasEnded, JSON.stringify({ states, ...coordinator.record })).toBe(true);
      await coordinator.ended;
      return coordinator.outcome;
    },
    async [Symbol.asyncDispose]() {
      for (const supervisor of supervisors) await supervisor.stop();
      await feeder.stop();
      await bus.close();
    },
  };
}

const stepsFrom = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

for (const isLocked of [false, true]) {
  it(`${isLocked ? "locked" : "unlocked"} blocks take every batch once and in order over a bus that is lost at random`, async () => {
    const epochs = 2;
    const draw = randomFrom(printedSeed());
    await using test = await pipeline({ isLocked, epochs, evaluateEverySteps: 10, saveEverySteps: 10 });
    const { broker, clock, plan, coordinator } = test;
    const end = await test.run(async () => {
      if (draw() < 0.05) {
        broker.interrupt();
        await clock.advance(Math.floor(draw() * 500));
        broker.restore();
      }
      await clock.advance(Math.floor(draw() * 200));
    });
    expect(end).toBe("completed");

    const steps = stepsFrom(1, plan.totalSteps);
    for (const [unit] of test.units) {
      expect(unit?.trained).toEqual(steps);
      expect(unit?.applied).toEqual(steps);
      expect(unit?.evaluated).toBe(epochs * (20 + 20 + SAMPLES));
    }
    const { record } = coordinator;
    expect(record.evaluations.map(({ samples }) => samples)).toEqual([20, 20, SAMPLES, 20, 20, SAMPLES]);
    // The fake is mistaken once in each batch of 8.
    for (const { samples, accuracy } of record.evaluations) expect(accuracy).toBe(1 - Math.ceil(samples / 8) / samples);
    for (const block of BLOCKS) {
      expect(record.progress[block]).toMatchObject({
        consumed: plan.lastSequence,
        applied: plan.totalSteps,
        step: plan.totalSteps,
        skipped: {},
        pending: 0,
      });
    }
    // Those in between are complete when the news of all three came through.
    const generations = test.committed.map(({ generation }) => generation);
    expect(generations.at(-1)).toBe(plan.totalSteps);
    expect(await test.checkpoints.manifests()).toEqual(test.committed.slice(-2).reverse());
    expect(generations).toContain(STEPS_PER_EPOCH);
    expect(generations.every((generation) => [10, 20, 24, 30, 40, 48].includes(generation))).toBe(true);
    for (const { actors } of test.committed) expect(Object.keys(actors).sort()).toEqual(BLOCKS);
  });
}

for (const isLocked of [false, true]) {
  it(`a ${isLocked ? "locked" : "unlocked"} block that fails in mid-run is restarted, counts what it missed, and the run completes`, async () => {
    await using test = await pipeline({ isLocked, epochs: 1, saveEverySteps: 1_000, failsAtStep: 7 });
    const { plan, coordinator, directives, units } = test;
    expect(await test.run(() => test.clock.advance(100))).toBe("completed");
    expect(directives).toEqual(["restart"]);
    const [[first], [failing, second], [last]] = units as [FakeBlock[], FakeBlock[], FakeBlock[]];
    expect(first?.trained).toEqual(stepsFrom(1, plan.totalSteps));
    expect(failing?.trained).toEqual([1, 2, 3, 4, 5, 6]);
    const rejoinedAt = second?.trained[0] ?? 0;
    expect(rejoinedAt).toBeGreaterThanOrEqual(7);
    expect(second?.trained).toEqual(stepsFrom(rejoinedAt, plan.totalSteps));
    expect(last?.trained).toEqual([...stepsFrom(1, 6), ...stepsFrom(rejoinedAt, plan.totalSteps)]);
    const { progress } = coordinator.record;
    expect(progress["block-1"]).toMatchObject({
      consumed: plan.lastSequence,
      skipped: { restarted: rejoinedAt - 1 },
      step: plan.totalSteps,
    });
    for (const block of BLOCKS) expect(unaccounted(progress[block] as NonNullable<(typeof progress)[string]>)).toBe(0);
  });
}

for (const isLocked of [false, true]) {
  it(`a ${isLocked ? "locked" : "unlocked"} block that has saved comes back from there, and has missed only what came since`, async () => {
    await using test = await pipeline({ isLocked, epochs: 1, saveEverySteps: 4, failsAtStep: 11 });
    const { plan, coordinator, units } = test;
    expect(await test.run(() => test.clock.advance(100))).toBe("completed");
    const second = units[1]?.[1];
    const rejoinedAt = second?.trained[0] ?? 0;
    expect(second?.calls[0]).toBe("restore 8");
    expect(second?.applied).toEqual(stepsFrom(rejoinedAt, plan.totalSteps));
    expect(coordinator.record.progress["block-1"]).toMatchObject({
      applied: 8 + plan.totalSteps - rejoinedAt + 1,
      skipped: { restarted: rejoinedAt - 9 },
      pending: 0,
      step: plan.totalSteps,
    });
    const [newest] = await test.checkpoints.manifests();
    expect(newest).toMatchObject({
      attempt: ATTEMPT,
      generation: plan.totalSteps,
      sequence: plan.lastSequence,
    });
  });
}

for (const isSaving of [true, false]) {
  it(`the final evaluation is complete though the last block ${isSaving ? "leaves and comes back" : "crashes"} in the middle of it`, async () => {
    await using test = await pipeline({ isLocked: false, epochs: 1, saveEverySteps: 1_000, workMs: 50 });
    const last = BLOCKS.length - 1;
    let leaving: Promise<void> | undefined;
    const restart = async (): Promise<void> => {
      await (await test.leave(last, { isSaving }))();
    };
    const end = await test.run(async () => {
      if (leaving === undefined && (test.units[last]?.[0]?.evaluated ?? 0) >= 16) leaving = restart();
      await test.clock.advance(10);
    });
    await leaving;
    expect(end).toBe("completed");
    expect(test.units[last]).toHaveLength(2);
    const [before, after] = test.units[last] ?? [];
    expect((before?.evaluated ?? 0) + (after?.evaluated ?? 0)).toBeGreaterThanOrEqual(SAMPLES);
    expect(test.coordinator.record.evaluations).toMatchObject([
      { samples: SAMPLES, accuracy: 1 - Math.ceil(SAMPLES / 8) / SAMPLES },
    ]);
  });
}

/** A block is told to leave just when the server goes away, and comes back to one that was away for `awayMs`. */
async function leavesInTheDark({ block, awayMs }: { readonly block: number; readonly awayMs: number }) {
  let isDark = false;
  const test = await pipeline({
    isLocked: false,
    epochs: 2,
    saveEverySteps: 1_000,
    onStep(index, step) {
      if (isDark || index !== block || step < 7) return;
      isDark = true;
      test.broker.interrupt();
    },
  });
  for (let turns = 0; !isDark && turns < 100; turns += 1) await test.clock.advance(10);
  expect(isDark).toBe(true);
  const leaving = test.leave(block);
  await test.clock.advance(awayMs);
  test.broker.restore();
  await test.clock.advance(20_000);
  const comeBack = await leaving;
  await comeBack();
  return test;
}

for (const block of [0, 1]) {
  it(`block ${block} leaves while the server is away for long: what it had sent is missed behind it, counted, and the run goes on`, async () => {
    await using test = await leavesInTheDark({ block, awayMs: 60_000 });
    expect(await test.run(() => test.clock.advance(100))).toBe("completed");
    const { plan, coordinator, units } = test;
    const missed = units[BLOCKS.length - 1]?.[0]?.trained ?? [];
    const lost = plan.totalSteps - missed.length;
    expect(lost).toBeGreaterThan(0);
    for (const [index, name] of BLOCKS.entries()) {
      expect(coordinator.record.progress[name]).toMatchObject({
        consumed: plan.lastSequence,
        applied: plan.totalSteps - (index > block ? lost : 0),
        skipped: index > block ? { "sender-restarted": lost } : {},
        pending: 0,
        step: plan.totalSteps,
      });
    }
  });

  it(`block ${block} leaves while the server is away for a moment: it waits until what it had sent is there, and nothing is missed`, async () => {
    await using test = await leavesInTheDark({ block, awayMs: 5_000 });
    expect(await test.run(() => test.clock.advance(100))).toBe("completed");
    for (const name of BLOCKS) {
      expect(test.coordinator.record.progress[name]).toMatchObject({ applied: test.plan.totalSteps, skipped: {} });
    }
  });
}

for (const isLocked of [false, true]) {
  it(`a run of ${isLocked ? "locked" : "unlocked"} blocks that come and go at random, over a bus that is lost at random, ends, and every account closes`, async () => {
    const draw = randomFrom(printedSeed());
    const pick = (count: number): number => Math.floor(draw() * count);
    await using test = await pipeline({ isLocked, epochs: 6, evaluateEverySteps: 10, saveEverySteps: 10, workMs: 50 });
    const { broker, clock, plan, coordinator } = test;
    let leaving: Promise<void> | undefined;
    let gone = 0;
    const comeAndGo = async (): Promise<void> => {
      const work = draw() < 0.25 ? test.replaceFeeder() : test.leave(pick(BLOCKS.length), { isSaving: draw() < 0.7 });
      const comeBack = await work;
      await comeBack?.();
      gone += 1;
    };
    const end = await test.run(async () => {
      if (draw() < 0.3 && leaving === undefined) {
        leaving = comeAndGo().finally(() => {
          leaving = undefined;
        });
      }
      if (draw() < 0.1) {
        broker.interrupt();
        await clock.advance(pick(20_000));
        broker.restore();
      }
      await clock.advance(pick(100));
    });
    await clock.advance(120_000);
    await leaving;
    expect(gone).toBeGreaterThan(10);
    expect(end).toBe("completed");
    for (const block of BLOCKS) {
      const progress = coordinator.record.progress[block];
      expect(progress).toMatchObject({ consumed: plan.lastSequence, pending: 0, step: plan.totalSteps });
      expect(unaccounted(progress as NonNullable<typeof progress>)).toBe(0);
    }
  });
}
