import { describe, expect, it } from "vitest";
import {
  cacheLabels,
  createLearnerActor,
  decodeFollowEvent,
  type FollowerOptions,
  openLearnerMemory,
  type RecordedEvent,
  resumeFollower,
  startFollower,
} from "../../../../src/actors/learner/index.ts";
import { GATE_RULES } from "../../../../src/continuous/index.ts";
import { openObservationLog } from "../../../../src/models/observations/index.ts";
import { applyUpdates, digestOfTensors, openUpdateShelf, readUpdate } from "../../../../src/models/updates/index.ts";
import type { Actor } from "../../../../src/runtime/actor/index.ts";
import { memoryBus } from "../../../../src/runtime/bus/index.ts";
import { type Clock, simulatedClock, systemClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../../src/runtime/store/index.ts";
import { type Logger, silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { failingStore, type StoreFault } from "../../../support/failing-store.ts";
import {
  CLASSES,
  firstWeights,
  linearLab,
  pointOf,
  SAMPLE_SHAPE,
  type WorldOracle,
  worldOracle,
} from "../../../support/turning-world.ts";
import { waitFor } from "../../../support/wait-for.ts";

/** Waits of the actor are short here. */
const clock: Clock = { ...systemClock(), sleep: (_ms, signal) => systemClock().sleep(1, signal) };
const MODEL = "points";
const RUN = "follow";
const OBSERVATIONS = 300;
const FOLLOWER: FollowerOptions = {
  model: MODEL,
  seed: 1,
  classes: CLASSES,
  sampleShape: [...SAMPLE_SHAPE],
  dtype: "f32",
  window: { observations: 100, roundObservations: 50 },
  training: {
    steps: 20,
    batchSize: 64,
    rehearsalShare: 0,
    replay: 250,
    recentWindows: 2,
    sectionSteps: 0,
    probeShare: 0.2,
    below: 0.97,
    enough: 0.97,
  },
  update: { fraction: 0.9, coding: { codec: "f32" }, anchorEvery: 20, maxBytes: 1e6 },
  gate: { ...GATE_RULES, forgetting: 1, recallDrop: 1, recallFloor: 0 },
  watch: { alpha: 0.01 },
  evidence: "uniform",
};
const SHAPES = { "weights/dense/kernel": [3, 3], "weights/norm/moving_mean": [1] };

/** Observations of a world that turns after the first window. */
async function observedStore(): Promise<Store> {
  const store = await memoryStore({ clock });
  const log = await openObservationLog(store, MODEL);
  for (let number = 0; number < OBSERVATIONS; number += 1) {
    await log.append({
      ...{ model: MODEL, observer: "observer-0", epoch: "epoch", number, release: 1 },
      ...{ atMs: clock.wallTimeMs(), expiresAtMs: clock.wallTimeMs() + 3_600_000 },
      ...{ stratum: "uniform", inclusion: 1, weight: 1 },
      interest: { disagreement: 0, uncertainty: 0, novelty: 0 },
      input: { dtype: "f32", shape: [...SAMPLE_SHAPE], values: pointOf(number, number < 100 ? 0 : 1) },
      logits: { dtype: "f32", shape: [CLASSES], values: new Float32Array(CLASSES) },
    });
  }
  return store;
}

interface Life {
  readonly actor: Actor;
  position(): number;
}

/** One incarnation of the learner over `store`. */
async function startLearner(store: Store, oracle: WorldOracle, log: Logger = silentLogger): Promise<Life> {
  const [bus, lab] = [memoryBus({ onHandlerError: () => undefined }), linearLab()];
  const labels = await cacheLabels(
    {
      version: () => Promise.resolve(oracle.version),
      compute: async (inputs) => (await oracle.label(inputs)).logits,
    },
    store,
  );
  let position = (): number => -1;
  const actor = createLearnerActor(
    { run: RUN, id: "learner", fence: 0, softwareVersion: "0.0.0", metadata: {}, follower: FOLLOWER },
    {
      bus,
      clock,
      log,
      memory: await openLearnerMemory(store, RUN, MODEL),
      observations: await openObservationLog(store, MODEL),
      shelf: await openUpdateShelf(store, MODEL),
      history: await store.log(`follow.${RUN}`),
      labels: () => labels.counts,
      async openFollower(saved) {
        const deps = { lab, oracle: labels };
        const opened =
          saved === undefined
            ? await startFollower(FOLLOWER, deps, { weights: firstWeights() })
            : { follower: await resumeFollower(FOLLOWER, deps, saved.state) };
        position = () => opened.follower.state.position;
        return { ...opened, [Symbol.asyncDispose]: () => bus.close() };
      },
    },
  );
  return { actor, position: () => position() };
}

const last = async (store: Store): Promise<number> => {
  let position = -1;
  for await (const entry of (await openObservationLog(store, MODEL)).read()) ({ position } = entry);
  return position;
};

/** Runs incarnations until one has followed everything. */
async function followAll(store: Store, faulty: Store, oracle: WorldOracle): Promise<number> {
  const end = await last(store);
  for (let lives = 1; ; lives += 1) {
    const life = await startLearner(lives === 1 ? faulty : store, oracle).catch(() => undefined);
    if (life === undefined) continue;
    const isStarted = await life.actor.start().then(
      () => true,
      () => false,
    );
    if (!isStarted) continue;
    const outcome = await Promise.race([
      life.actor.ended.then(() => "ended"),
      waitFor(() => life.position() === end, "the end of the observations").then(() => "done"),
    ]);
    if (outcome === "ended") continue;
    await life.actor.stop();
    return lives;
  }
}

async function historyOf(store: Store): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const { data } of (await store.log(`follow.${RUN}`)).read()) events.push(decodeFollowEvent(data));
  return events;
}

/** Digest that a device has which takes all that is on the shelf. */
async function deviceDigest(store: Store): Promise<string> {
  const shelf = await openUpdateShelf(store, MODEL);
  const steps = [];
  for (const { number, kind } of await shelf.list()) {
    const read = readUpdate((await shelf.get(number, kind)) ?? new Uint8Array(0), { model: MODEL, trusted: [] });
    if (read.kind === "read") steps.push(read.update);
  }
  return digestOfTensors(applyUpdates(steps, SHAPES, undefined));
}

describe("createLearnerActor", () => {
  it("follows what is in the log, records what it decides and puts updates on the shelf", async () => {
    const [store, oracle] = [await observedStore(), worldOracle()];
    expect(await followAll(store, store, oracle)).toBe(1);
    const events = (await historyOf(store)).map(({ event }) => event.kind);
    expect(events.filter((kind) => kind === "window")).toHaveLength(3);
    expect(events).toContain("promotion");
    const shelf = await openUpdateShelf(store, MODEL);
    expect(await deviceDigest(store)).toBe((await shelf.newest())?.digest);
    expect(oracle.asked).toBe(OBSERVATIONS);
  });

  it("waits for observations that are away, which it tells once", async () => {
    const store = await observedStore();
    let [looks, isAway] = [0, true];
    const site = failingStore(
      store,
      ({ kind, bucket }) => {
        if (kind !== "log" || bucket !== `observe.${MODEL}`) return undefined;
        looks += 1;
        return isAway ? { kind: "refused" } : undefined;
      },
      clock,
    );
    const told: string[] = [];
    const tell = (_fields: object, text: string): void => void told.push(text);
    const life = await startLearner(site, worldOracle(), { ...silentLogger, info: tell, warn: tell });
    await life.actor.start();
    await waitFor(() => looks > 5, "some looks in vain");
    isAway = false;
    const end = await last(store);
    await waitFor(() => life.position() === end, "the end of the observations");
    await life.actor.stop();
    expect(told.filter((text) => text.includes("observations"))).toEqual([
      "the observations are away",
      "the observations are read again",
    ]);
  });

  it.each<StoreFault["kind"]>(["refused", "unanswered"])(
    "does the same whichever call of the store is %s, and labels nothing twice",
    async (kind) => {
      const [quiet, wanted] = [await observedStore(), worldOracle()];
      let calls = 0;
      const counted = failingStore(quiet, () => void (calls += 1), simulatedClock());
      await followAll(quiet, counted, wanted);
      const expected = (await historyOf(quiet)).map(({ sequence, event }) => ({ sequence, event }));
      const digest = await deviceDigest(quiet);
      expect(calls).toBeGreaterThan(50);
      let restarts = 0;
      // Reads of labels are alike: every 23rd of them stands for all.
      for (let failed = 0; failed < calls; failed += failed < 12 || failed > calls - 20 ? 1 : 23) {
        const [store, oracle] = [await observedStore(), worldOracle()];
        let call = 0;
        const faulty = failingStore(
          store,
          () => {
            call += 1;
            return call === failed + 1 ? ({ kind } as StoreFault) : undefined;
          },
          simulatedClock(),
        );
        restarts += (await followAll(store, faulty, oracle)) - 1;
        expect((await historyOf(store)).map(({ sequence, event }) => ({ sequence, event }))).toEqual(expected);
        expect(await deviceDigest(store)).toBe(digest);
        // A round whose labels were not kept is computed anew: at most one.
        expect(oracle.asked).toBeLessThanOrEqual(OBSERVATIONS + FOLLOWER.window.roundObservations);
      }
      expect(restarts).toBeGreaterThan(0);
    },
    120_000,
  );
});
