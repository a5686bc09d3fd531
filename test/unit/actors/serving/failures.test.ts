/** Replicas, workers, gateways and the server fail under load. */
import { describe, expect, it } from "vitest";
import { randomFrom } from "../../../support/random.ts";
import { createServingLoad } from "./serving-load.ts";
import { samples, servingScene, type ServingSceneOptions } from "./serving-scene.ts";

/** What waits for a replica is not refused for its number. */
const UNBOUNDED = { maxWaitingSamples: 100_000, targetMs: 60_000 };

async function loaded(options: ServingSceneOptions, rate = 0.4, timeoutMs = 5_000) {
  const scene = await servingScene({ gateway: UNBOUNDED, ...options });
  const release = await scene.release(1, scene.gateway);
  await scene.clock.advance(1_100); // every replica has announced it
  const load = createServingLoad({ scene, draw: randomFrom(11), rate, timeoutMs, gateways: () => [scene.gateway] });
  await load.run(100);
  return { scene, load, release };
}
const NOTHING_REFUSED = [[], []];

describe.each([1, 2] as const)("a model in %i slices", (slices) => {
  it("resends what is in flight on a replica that is killed: no refusal where the deadline allows", async () => {
    const { scene, load } = await loaded({ slices, copies: 2 });
    await scene.replica(slices - 1, 1).kill();
    await load.run(2_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    await scene.stopAll();
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it("waits for the only replica to come back when it is killed", async () => {
    const { scene, load } = await loaded({ slices }, 0.2);
    for (let index = 0; index < 5; index += 1) load.send(scene.gateway);
    await scene.replica(0).kill();
    await scene.clock.advance(300);
    await scene.startReplica(0);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    await scene.stopAll();
  });

  it("loses nothing of a replica that drains", async () => {
    const { scene, load } = await loaded({ slices, copies: 2 });
    const stopping = scene.replica(0, 1).actor.stop();
    await load.run(1_000);
    await stopping;
    await scene.startReplica(0, 1);
    await load.run(1_500);
    const again = scene.replica(0, 0).actor.stop();
    await load.run(1_000);
    await again;
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    await scene.stopAll();
  });

  it("goes on without a replica whose worker is gone, and that ends with KN_UNAVAILABLE", async () => {
    const { scene, load } = await loaded({ slices, copies: 2 });
    const replica = scene.replica(slices - 1, 0);
    scene.killWorker(replica);
    await load.run(3_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    expect(await replica.actor.ended).toMatchObject({ code: "KN_UNAVAILABLE" });
    await scene.stopAll();
  });

  it("sends the batches of a replica whose worker hangs elsewhere, and avoids it", async () => {
    const { scene, load } = await loaded({ slices, copies: 2 });
    const thaw = scene.freeze(scene.replica(slices - 1, 1).id);
    await load.run(8_000);
    thaw();
    await load.run(500);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    await scene.stopAll();
  });

  it("waits for a hung worker where there is no other replica, and refuses at the deadline", async () => {
    const { scene, load } = await loaded({ slices }, 0.01, 2_000);
    const thaw = scene.freeze(scene.replica(slices - 1).id);
    await load.run(1_500);
    thaw();
    await load.run(1_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    const again = scene.freeze(scene.replica(slices - 1).id);
    load.send(scene.gateway);
    await load.finish();
    expect(Object.fromEntries(load.refusals)).toEqual({ KN_STALE: 1 });
    again();
    await load.run(500);
    await load.finish();
    expect(load.faults).toEqual([]);
    await scene.stopAll();
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it("sends again what the server lost when it comes back", async () => {
    const { scene, load } = await loaded({ slices, copies: 2 });
    scene.broker.interrupt();
    await load.run(300);
    scene.broker.restore();
    await load.run(500);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
    await scene.stopAll();
  });

  it("keeps a replica that was heard again after a probe was lost with the server", async () => {
    const { scene, load, release } = await loaded({ slices });
    const thaw = scene.freeze(scene.replica(0).id);
    load.send(scene.gateway);
    await scene.clock.advance(90);
    scene.broker.interrupt();
    await scene.clock.advance(500); // a probe of the late batch is sent meanwhile, and times out after a second
    scene.broker.restore();
    thaw();
    for (let passed = 0; passed < 1_500; passed += 1) {
      await scene.clock.advance(1);
      expect(scene.gateway.model.live?.release, `after ${passed} ms`).toBe(release);
    }
    await load.finish();
    await scene.stopAll();
  });

  it("answers again after the server was away for long, and refuses with a code meanwhile", async () => {
    const { scene, load } = await loaded({ slices });
    scene.broker.interrupt();
    await load.run(8_000);
    scene.broker.restore();
    await load.run(100);
    const before = [...load.answers.values()].reduce((sum, each) => sum + each, 0);
    await load.run(200);
    await load.finish();
    expect(load.faults).toEqual([]);
    expect([...load.refusals.keys()].sort().join()).toMatch(/^(KN_STALE,)?KN_UNAVAILABLE$/);
    expect([...load.answers.values()].reduce((sum, each) => sum + each, 0)).toBeGreaterThan(before + 50);
    await scene.stopAll();
  });
});

it("a replica that hangs for half a minute ends with KN_UNAVAILABLE, so that it is started anew", async () => {
  const { scene, load } = await loaded({ copies: 2 }, 0.05);
  const replica = scene.replica(0, 1);
  scene.freeze(replica.id);
  await load.run(500);
  let error: unknown;
  void replica.actor.ended.then((found) => {
    error = found;
  });
  await scene.until(() => error !== undefined, "the end of the replica", 60_000);
  expect(error).toMatchObject({ code: "KN_UNAVAILABLE" });
  await load.finish();
  expect([load.faults, [...load.refusals]]).toEqual(NOTHING_REFUSED);
  await scene.stopAll();
});

it("a replica that hangs drains no longer than the deadlines of its batches", async () => {
  const { scene, load } = await loaded({}, 0, 500);
  scene.freeze(scene.replica().id);
  load.send(scene.gateway);
  await scene.clock.advance(50);
  let isStopped = false;
  void scene
    .replica()
    .actor.stop()
    .then(() => {
      isStopped = true;
    });
  await scene.until(() => isStopped, "the end of the replica", 10_000);
  await load.finish();
  await scene.stopAll();
});

it("a gateway that is killed and comes back does not take the results of its former life for its own", async () => {
  const scene = await servingScene({ isStarted: false, batchMs: 1_500, gateway: UNBOUNDED });
  await scene.startReplica();
  const first = await scene.startGatewayProcess();
  await scene.release(1, first.actor);
  const load = createServingLoad({ scene, draw: randomFrom(3), rate: 0, timeoutMs: 60_000, gateways: () => [] });
  for (let index = 0; index < 3; index += 1) load.send(first.actor);
  await scene.clock.advance(10);
  await first.kill();
  const second = await scene.startGatewayProcess();
  await scene.until(() => second.actor.model.live !== undefined, "the second gateway", 1_200);
  // As large, one by one, as those of which the results are still to come.
  for (let index = 0; index < 3; index += 1) load.send(second.actor);
  await load.finish();
  expect([load.faults, load.answers.get(1)]).toEqual([[], 3]);
  await scene.stopAll();
});

it("a gateway that stops answers what it has, and refuses what comes later", async () => {
  const { scene, load } = await loaded({ batchMs: 30 });
  const before = load.sent;
  for (let index = 0; index < 10; index += 1) load.send(scene.gateway);
  const stopping = scene.gateway.stop();
  await load.finish();
  await scene.clock.advance(50);
  await stopping;
  expect([load.faults, [...load.refusals], load.sent - before]).toEqual([[], [], 10]);
  const outcome = await scene.gateway.model.infer({ input: samples(1) });
  expect(outcome).toMatchObject({ kind: "refusal", error: { code: "KN_UNAVAILABLE" } });
  await scene.stopAll();
  expect(scene.clock.pendingTimers).toBe(0);
});

it("a gateway that fails refuses what it has at once", async () => {
  const scene = await servingScene({ isStarted: false, batchMs: 1_000 });
  await scene.startReplica();
  const process = await scene.startGatewayProcess();
  await scene.release(1, process.actor);
  const load = createServingLoad({ scene, draw: randomFrom(3), rate: 0, timeoutMs: 60_000, gateways: () => [] });
  for (let index = 0; index < 12; index += 1) load.send(process.actor);
  await scene.clock.advance(10);
  await process.kill();
  await scene.until(() => load.open === 0, "the refusals", 61_000);
  expect(load.faults).toEqual([]);
  await scene.stopAll();
});

it("a batch that is lost on its way is sent again, and its credit with it", async () => {
  const { scene, load } = await loaded({}, 0);
  for (let round = 0; round < 3; round += 1) {
    // The server is away for the length of one message: too short for a probe to fail.
    scene.lose(1);
    load.send(scene.gateway);
    await scene.clock.advance(1);
    load.send(scene.gateway);
    await load.finish();
  }
  expect([load.faults, [...load.refusals], load.answers.size]).toEqual([[], [], 1]);
  await scene.stopAll();
});
