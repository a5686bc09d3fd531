/** Releases that change under load: no answer mixes two, and no request fails. */
import { describe, expect, it } from "vitest";
import { randomFrom } from "../../../support/random.ts";
import { createServingLoad } from "./serving-load.ts";
import { BY, servingScene } from "./serving-scene.ts";

const SETTINGS = [1, 2].flatMap((slices) =>
  [1, 2, 3].flatMap((copies) => [1, 2].map((gateways) => ({ slices: slices as 1 | 2, copies, gateways }))),
);

describe.each(SETTINGS)("$slices slices, $copies copies, $gateways gateways", ({ slices, copies, gateways }) => {
  it("swaps under load: 0 mixed, 0 failed", async () => {
    const draw = randomFrom(1_000 * slices + 100 * copies + gateways);
    const scene = await servingScene({ slices, copies, gateways });
    const [first] = scene.gateways;
    await scene.release(1, scene.gateway);
    await scene.until(() => scene.gateways.every(({ model }) => model.live !== undefined), "all gateways");
    const load = createServingLoad({ scene, draw, rate: 0.4, gateways: () => scene.gateways });
    for (let value = 2; value <= 7; value += 1) {
      await scene.model.promote(await scene.publishValue(value), BY);
      await load.run(Math.floor(draw() * 60));
    }
    // And back, twice.
    await scene.model.rollback(BY);
    await load.run(30);
    await scene.model.rollback(BY);
    await load.run(100);
    await load.finish();
    expect(load.faults).toEqual([]);
    expect(Object.fromEntries(load.refusals)).toEqual({});
    expect(load.answers.size).toBeGreaterThan(2);
    expect(first?.model.live?.release).toBe(7);
    await scene.stopAll();
    expect(scene.clock.pendingTimers).toBe(0);
  });
});

it("keeps answering with the old release while one replica has dropped it and another loads the next but one", async () => {
  // Slice 1 loads slowly, and two promotions come within one load.
  const scene = await servingScene({
    slices: 2,
    gateway: { maxWaitingSamples: 10_000, targetMs: 60_000 },
    async onRead(replica) {
      if (replica === "replica-1") await scene.clock.sleep(400);
    },
  });
  await scene.release(1, scene.gateway);
  const load = createServingLoad({ scene, draw: randomFrom(5), rate: 0.5, gateways: () => scene.gateways });
  for (const value of [2, 3]) {
    await scene.model.promote(await scene.publishValue(value), BY);
    await load.run(100);
  }
  await load.run(1_500);
  await load.finish();
  expect([load.faults, [...load.refusals]]).toEqual([[], []]);
  expect(scene.gateway.model.live?.release).toBe(3);
  await scene.stopAll();
});

it("a replica that loads for ever does not keep the swap back for more than its patience, whatever is promoted meanwhile", async () => {
  let isStuck = true;
  await using scene = await servingScene({
    copies: 2,
    // The store, not the worker: batches go on.
    async onRead(replica, release) {
      while (isStuck && replica === "replica-0-1" && release > 1) await scene.clock.sleep(1_000);
    },
  });
  await scene.release(1, scene.gateway);
  const load = createServingLoad({ scene, draw: randomFrom(6), rate: 0.05, gateways: () => scene.gateways });
  for (const value of [2, 3, 4]) {
    await scene.model.promote(await scene.publishValue(value), BY);
    await load.run(3_000);
    expect(scene.gateway.model.live?.release).toBe(1);
  }
  await load.run(1_500);
  expect(scene.gateway.model.live?.release).toBe(4);
  isStuck = false;
  await load.run(2_500);
  await load.finish();
  expect([load.faults, [...load.refusals]]).toEqual([[], []]);
});

it("two gateways see one record, and each says so in its own time", async () => {
  await using scene = await servingScene({ gateways: 2 });
  const release = await scene.release(1, scene.gateway);
  await scene.until(() => scene.gateways.every(({ model }) => model.live?.release === release), "both");
  const next = await scene.publishValue(2);
  await scene.model.promote(next, BY);
  await scene.until(() => scene.gateways.every(({ model }) => model.live?.release === next), "both", 500);
});
