import { describe, expect, it } from "vitest";
import { GRACE_MS, planCollection, planRemoval } from "../../../src/fleet/collection.ts";
import { endRunWithoutNodes } from "../../../src/fleet/end-run.ts";
import { modelsInStore, openModel } from "../../../src/models/index.ts";
import { openCheckpoints, scopeOfRun } from "../../../src/runtime/artifacts/index.ts";
import { BY, FACTS, loadAll, weights } from "../models/model-scene.ts";
import { createWorld, RUN, type World } from "./fleet-world.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Names of everything that the fleet's store holds of a run. */
async function tracesOf(run: string, { store, fleet }: World): Promise<string[]> {
  const found = await Promise.all([
    fleet.runs.kv.keys(),
    fleet.status.kv.keys(),
    fleet.leases.keys(),
    fleet.fences.keys(),
    store.logs(),
    (await store.kv("kn-manifests")).keys(),
    (await store.blobs("kn-artifacts")).list().then((blobs) => blobs.map(({ name }) => name)),
    store.buckets().then((buckets) => buckets.map(({ name }) => name)),
  ]);
  return found.flat().filter((name) => name.split(/[.-]/).includes(run));
}

describe("planRemoval", () => {
  it("lists everything of a run and deletes nothing; apply leaves no trace of it, and another run whole", async () => {
    await using world = await createWorld({ nodes: ["a", "b"] });
    await world.launch();
    await world.end();
    await (await openCheckpoints(world.store, scopeOfRun("other")))
      .statesOf("block-0", { attempt: 1, fence: 1 })
      .save({ attempt: 1, generation: 1 }, { metadata: {}, tensors: {} });
    await world.store.kv(`manifests-${RUN}`);
    const before = await tracesOf(RUN, world);
    const plan = await planRemoval(RUN, world.fleet);
    expect(await tracesOf(RUN, world)).toEqual(before);
    expect(new Set(plan.items.map(({ kind }) => kind))).toEqual(
      new Set(["run record", "status", "fencing token", "history", "artifact record", "blob", "bucket"]),
    );
    await plan.apply();
    expect(await tracesOf(RUN, world)).toEqual([]);
    expect(await tracesOf("other", world)).not.toEqual([]);
    await expect(planRemoval(RUN, world.fleet)).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it("is refused with KN_CONFIG while the run goes on", async () => {
    await using world = await createWorld({ nodes: ["a"] });
    await world.launch();
    await expect(planRemoval(RUN, world.fleet)).rejects.toMatchObject({ code: "KN_CONFIG", value: "it is running" });
    await world.end();
  });

  it("the name can be launched again afterwards", async () => {
    await using world = await createWorld({ nodes: ["a"] });
    await world.launch();
    await world.end();
    await expect(world.launch()).rejects.toMatchObject({ code: "KN_CONFIG", value: "a run of that name exists" });
    await (await planRemoval(RUN, world.fleet)).apply();
    await world.launch();
    expect(await world.end()).toMatchObject({ outcome: "completed", attempt: 1 });
  });
});

describe("planCollection", () => {
  it("lists what no run record names, once it is older than the grace period, and nothing of a known run", async () => {
    await using world = await createWorld({ nodes: ["a", "b"] });
    const { clock, fleet, store } = world;
    await world.launch();
    await world.end();
    await fleet.status.kv.put("gone", bytes("{}"));
    await fleet.fences.put("gone.block-0", bytes("1"));
    await (await store.log("history-gone")).append(bytes("{}"));
    const states = (await openCheckpoints(store, scopeOfRun("gone"))).statesOf("block-0", { attempt: 1, fence: 1 });
    await states.claim();
    await states.save({ attempt: 1, generation: 1 }, { metadata: {}, tensors: {} });
    const young = await planCollection(fleet, clock);
    expect(young.items.map(({ kind }) => kind).sort()).toEqual(["fencing token", "history", "status"]);
    await clock.advance(GRACE_MS + 1);
    const plan = await planCollection(fleet, clock);
    expect(plan.items.every(({ name }) => name.split(/[.-]/).includes("gone"))).toBe(true);
    const before = await tracesOf(RUN, world);
    await plan.apply();
    expect(await tracesOf("gone", world)).toEqual([]);
    expect(await tracesOf(RUN, world)).toEqual(before);
    expect((await planCollection(fleet, clock)).items).toEqual([]);
  });
});

describe("planCollection, of models", () => {
  it("leaves releases, what is live and its history alone, whatever their age; takes parts of no release", async () => {
    await using world = await createWorld({ nodes: ["a"] });
    const { clock, fleet, store } = world;
    const model = openModel(modelsInStore(store), "digits", { clock });
    // Also of a name that a run had: what a run owns and what a model owns are told apart.
    for (const value of [1, 2]) await model.publish(FACTS, weights(value));
    await model.promote(1, BY);
    const blobs = await store.blobs("kn-artifacts");
    await blobs.put(`model.digits.part.${"0".repeat(64)}`, bytes("litter"));
    await clock.advance(10 * GRACE_MS);
    const plan = await planCollection(fleet, clock);
    expect(plan.items).toMatchObject([{ kind: "blob", name: `model.digits.part.${"0".repeat(64)}` }]);
    await plan.apply();
    for (const release of [1, 2]) expect(await loadAll(model, release)).toEqual(weights(release));
    expect((await model.live()).live).toBe(1);
    expect(await model.history()).toHaveLength(1);
    await expect(planRemoval("digits", fleet)).rejects.toMatchObject({ code: "KN_CONFIG" });
    expect((await planCollection(fleet, clock)).items).toEqual([]);
  });
});

describe("endRunWithoutNodes", () => {
  it("B16: ends a run whose nodes are gone as stopped at its last checkpoint; it is refused while one is there", async () => {
    await using world = await createWorld({ nodes: ["a"], workMs: 1_000 });
    await world.launch();
    await world.until(async () => ((await world.status())?.record.generation ?? 0) > 0, "a checkpoint");
    await expect(endRunWithoutNodes(RUN, world.fleet, world.clock)).rejects.toMatchObject({ code: "KN_CONFIG" });
    world.node("a").kill();
    await world.clock.advance(10_000);
    const status = await endRunWithoutNodes(RUN, world.fleet, world.clock);
    expect(status).toMatchObject({ outcome: "stopped" });
    expect(status.record.generation).toBeGreaterThan(0);
    expect((await world.record()).desired).toBe("ended");
    expect(await endRunWithoutNodes(RUN, world.fleet, world.clock)).toEqual(await world.status());
  });
});
