/** The server is away for a moment: requests wait within their deadlines, and are answered when it is back. */
import { describe, expect, it } from "vitest";
import { randomFrom } from "../../../support/random.ts";
import { createServingLoad } from "./serving-load.ts";
import { servingScene, type ServingSceneOptions } from "./serving-scene.ts";

const UNBOUNDED = { maxWaitingSamples: 100_000, targetMs: 60_000 };

async function loaded(options: ServingSceneOptions, timeoutMs = 5_000) {
  const scene = await servingScene({ gateway: UNBOUNDED, ...options });
  const release = await scene.release(1, scene.gateway);
  await scene.clock.advance(1_100); // every replica has announced it
  const load = createServingLoad({ scene, draw: randomFrom(5), rate: 0.2, timeoutMs, gateways: () => [scene.gateway] });
  await load.run(100);
  return { scene, load, release };
}

describe.each([1, 2] as const)("a model in %i slices whose server is away", (slices) => {
  it.each([1_500, 3_000])(
    "for %i ms: every request waits, none is refused, the gateway stays ready",
    async (awayMs) => {
      const { scene, load, release } = await loaded({ slices });
      scene.broker.interrupt();
      await load.run(awayMs);
      expect(scene.gateway.model.live?.release).toBe(release);
      expect(scene.gateway.model.unready).toEqual([]);
      scene.broker.restore();
      await load.run(200);
      await load.finish();
      expect([load.faults, [...load.refusals]]).toEqual([[], []]);
      await scene.stopAll();
      expect(scene.clock.pendingTimers).toBe(0);
    },
  );

  it("refuses what is not answered by its deadline, with a code", async () => {
    const { scene, load } = await loaded({ slices }, 400);
    scene.broker.interrupt();
    await load.run(1_500);
    scene.broker.restore();
    await load.run(500);
    await load.finish();
    expect(load.faults).toEqual([]);
    expect([...load.refusals.keys()]).toEqual(["KN_STALE"]);
    await scene.stopAll();
  });

  it("and one of whose replicas ends meanwhile goes on with the other", async () => {
    const { scene, load } = await loaded({ slices, copies: 2 });
    scene.broker.interrupt();
    await load.run(300);
    await scene.replica(slices - 1, 1).kill();
    await load.run(300);
    scene.broker.restore();
    await load.run(2_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual([[], []]);
    await scene.stopAll();
  });

  it("for longer than its patience is not ready, and refuses at once", async () => {
    const { scene, load } = await loaded({ slices });
    scene.broker.interrupt();
    await load.run(8_500);
    expect(scene.gateway.model.unready).toHaveLength(1);
    const outcome = await scene.outcome(
      scene.gateway.model.infer({ input: { dtype: "f32", shape: [1, 2, 2, 1], values: new Float32Array(4) } }),
    );
    expect(outcome).toMatchObject({ kind: "refusal", error: { code: "KN_UNAVAILABLE" } });
    scene.broker.restore();
    await load.finish();
    expect(load.faults).toEqual([]);
    await scene.stopAll();
  });
});
