import { describe, expect, it } from "vitest";
import { cacheLabels, openLearnerMemory, storedLearners } from "../../../src/actors/learner/index.ts";
import { planFollowCollection, planFollowRemoval } from "../../../src/jobs/kinds/continuous/collect-follows.ts";
import { historyOf } from "../../../src/jobs/kinds/continuous/create-learner.ts";
import { modelsInStore, openModel } from "../../../src/models/index.ts";
import { openObservationLog } from "../../../src/models/observations/index.ts";
import { openUpdateShelf } from "../../../src/models/updates/index.ts";
import { type SimulatedClock, simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../src/runtime/store/index.ts";
import { observedInput } from "../messages/observation/observation-samples.ts";
import { FACTS, weights } from "../models/model-scene.ts";
import { trainerOf } from "../models/updates/device-scene.ts";

const HOUR_MS = 3_600_000;
const NOTHING_SENT = { firstEvent: 0, events: [], updates: [], offer: undefined };
const EMPTY = { metadata: {}, tensors: {} };
/** Of the shelf and the observations of the scenes. */
const MODEL = "digits";

async function save(store: Store, run: string, { model = MODEL, oracle = "teacher-1", times = 1 } = {}): Promise<void> {
  const memory = await openLearnerMemory(store, run, model);
  await memory.load();
  for (let time = 0; time < times; time += 1) await memory.save(EMPTY, NOTHING_SENT, oracle);
  await (await store.log(historyOf(run))).append(Uint8Array.of(1));
}

async function label(store: Store, version: string, value: number): Promise<void> {
  const compute = () => Promise.resolve(Float32Array.of(value));
  await (await cacheLabels({ version: () => Promise.resolve(version), compute }, store)).label([Uint8Array.of(value)]);
}

const labelsOf = async (store: Store): Promise<string[]> => [
  ...new Set(
    (await (await store.kv("kn-labels", { ttlMs: 30 * 24 * HOUR_MS })).keys()).map((key) => key.split(".")[0] ?? ""),
  ),
];
const savesOf = async (store: Store): Promise<string[]> =>
  (await (await store.blobs("kn-continuous")).list()).map(({ name }) => name);
const collection = (store: Store, clock: SimulatedClock, isIdle = false) => {
  const nowMs = clock.wallTimeMs();
  return planFollowCollection(store, { nowMs, beforeMs: nowMs - HOUR_MS, isIdle });
};
const namesOf = ({ items }: Awaited<ReturnType<typeof collection>>): string[] =>
  items.map(({ kind, name }) => `${kind} ${name}`);

async function scene() {
  const clock = simulatedClock({ wallTimeMs: observedInput.atMs });
  return { clock, store: await memoryStore({ clock }) };
}

describe("planFollowRemoval", () => {
  it("removes state and history of one run, and nothing that others share", async () => {
    const { store } = await scene();
    await save(store, "follow", { times: 3 });
    await save(store, "follow-2");
    await label(store, "teacher-1", 1);
    await (await openUpdateShelf(store, MODEL)).put(trainerOf().promote("full", 2));
    const plan = await planFollowRemoval("follow", store);
    expect(namesOf(plan)).toEqual(["learner record follow", "history follow.follow", "blob follow.2", "blob follow.3"]);
    for (let times = 0; times < 2; times += 1) await plan.apply();
    expect((await storedLearners(store)).map(({ run }) => run)).toEqual(["follow-2"]);
    expect(await savesOf(store)).toEqual(["follow-2.1"]);
    expect(await store.logs("follow.")).toEqual(["follow.follow-2"]);
    expect(await labelsOf(store)).toEqual(["teacher-1"]);
    expect(await (await openUpdateShelf(store, MODEL)).list()).toHaveLength(1);
    expect((await planFollowRemoval("follow", store)).items).toEqual([]);
  });

  it("makes no bucket in a store without continuous runs", async () => {
    const { store, clock } = await scene();
    const before = await store.buckets();
    expect((await planFollowRemoval("follow", store)).items).toEqual([]);
    await (await planFollowCollection(store, { nowMs: clock.wallTimeMs(), beforeMs: 0, isIdle: true })).apply();
    expect((await store.buckets()).filter(({ name }) => /continuous|labels|updates/.test(name))).toEqual([]);
    expect(before).toEqual([]);
  });
});

describe("planFollowCollection", () => {
  it("takes labels of versions that no run uses, once they are older than the grace period", async () => {
    const { store, clock } = await scene();
    await label(store, "teacher-1", 1);
    await label(store, "teacher-2", 1);
    await save(store, "follow", { oracle: "teacher-2" });
    expect((await collection(store, clock)).items).toEqual([]);
    await clock.advance(HOUR_MS + 1);
    const plan = await collection(store, clock);
    expect(namesOf(plan)).toEqual(["labels teacher-1"]);
    expect(await labelsOf(store)).toEqual(["teacher-1", "teacher-2"]);
    await plan.apply();
    expect(await labelsOf(store)).toEqual(["teacher-2"]);
    expect((await collection(store, clock)).items).toEqual([]);
  });

  it("takes updates and expired observations of a model without a release and without a learner", async () => {
    const { store, clock } = await scene();
    await (await openUpdateShelf(store, MODEL)).put(trainerOf().promote("full", 2));
    await (await openObservationLog(store, MODEL)).append(observedInput);
    expect((await collection(store, clock)).items).toEqual([]);
    await clock.advance(observedInput.expiresAtMs - observedInput.atMs + HOUR_MS);
    const gone = await collection(store, clock);
    expect(namesOf(gone).map((name) => name.split(".")[0])).toEqual([
      `shelf record ${MODEL}`,
      `blob ${MODEL}`,
      "observations observe",
    ]);

    const model = openModel(modelsInStore(store), MODEL, { clock });
    await model.publish(FACTS, weights(1));
    expect((await collection(store, clock)).items).toEqual([]);
    await model.remove({ by: "test", reason: "" });
    await (await openUpdateShelf(store, MODEL)).put(trainerOf().promote("full", 2)); // of a learner that went on
    await save(store, "follow");
    await clock.advance(2 * HOUR_MS);
    expect((await collection(store, clock)).items).toEqual([]);
    await (await planFollowRemoval("follow", store)).apply();
    await (await collection(store, clock)).apply();
    expect(await (await openUpdateShelf(store, MODEL)).list()).toEqual([]);
    expect(await store.logs()).not.toContain(`observe.${MODEL}`);
    expect((await collection(store, clock)).items).toEqual([]);
  });

  it("takes saves that no record needs, and of those that were cut off only where no learner saves", async () => {
    const { store, clock } = await scene();
    await save(store, "follow", { times: 5 });
    const blobs = await store.blobs("kn-continuous");
    for (const name of ["follow.2", "follow.6", "gone.1"]) await blobs.put(name, Uint8Array.of(1));
    expect(namesOf(await collection(store, clock))).toEqual(["blob follow.2"]);
    const plan = await collection(store, clock, true);
    expect(namesOf(plan)).toEqual(["blob follow.2", "blob follow.6", "blob gone.1"]);
    await plan.apply();
    expect(await savesOf(store)).toEqual(["follow.4", "follow.5"]);
    expect(await (await openLearnerMemory(store, "follow", MODEL)).load()).toBeDefined();
  });

  it("takes nothing that a learner of another version may need", async () => {
    const { store, clock } = await scene();
    await label(store, "teacher-1", 1);
    await (await store.kv("kn-continuous")).put("follow", Uint8Array.of(1));
    await (await store.blobs("kn-continuous")).put("follow.7", Uint8Array.of(1));
    await (await openUpdateShelf(store, MODEL)).put(trainerOf().promote("full", 2));
    await clock.advance(2 * HOUR_MS);
    expect((await collection(store, clock)).items).toEqual([]);
    expect(namesOf(await planFollowRemoval("follow", store))).toEqual(["learner record follow", "blob follow.7"]);
  });

  it("takes the history of a run whose record is gone", async () => {
    const { store, clock } = await scene();
    await save(store, "follow");
    await (await store.log(historyOf("gone"))).append(Uint8Array.of(1));
    const plan = await collection(store, clock);
    expect(namesOf(plan)).toEqual(["history follow.gone"]);
    await plan.apply();
    expect(await store.logs("follow.")).toEqual(["follow.follow"]);
  });
});
