/** Releases that are refused, tried, and withdrawn. */
import { describe, expect, it } from "vitest";
import { newKeyPair, openModel, readSigner, readTrustedKey } from "../../../../src/models/index.ts";
import { encodeFacts } from "../../../../src/models/release-facts.ts";
import { partName } from "../../../../src/runtime/artifacts/artifact-names.ts";
import { ARTIFACT_BLOBS, openReleases } from "../../../../src/runtime/artifacts/index.ts";
import { failAlways, failTimes, randomFaults } from "../../../support/failing-store.ts";
import { randomFrom } from "../../../support/random.ts";
import { NETWORK, weights } from "../../models/model-scene.ts";
import { createServingLoad } from "./serving-load.ts";
import { BY, FACTS, samples, type ServingScene, servingScene } from "./serving-scene.ts";

const pair = newKeyPair();
const signer = readSigner(pair.privatePem, "key");
const trusted = [readTrustedKey(pair.publicPem, "key.pub")];

interface Fault {
  readonly name: string;
  readonly code: string;
  readonly slices: 1 | 2;
  readonly isSigned?: boolean;
  /** Publishes a release that is refused. */
  readonly publish: (scene: ServingScene) => Promise<number>;
}

const blobNames = async (scene: ServingScene, release: number): Promise<string[]> =>
  (await scene.model.release(release)).digests.map((digest) => partName("model.digits", digest));
const FAULTS: readonly Fault[] = [1, 2].flatMap((number) => {
  const slices = number as 1 | 2;
  return [
    {
      name: "NaN weights",
      code: "KN_CHECKPOINT",
      slices,
      async publish({ plain }) {
        const parts = weights(NaN);
        const releases = await openReleases(plain, "model.digits");
        const manifest = { ...FACTS, format: 1, model: "digits" } as const;
        const metadata = (numbered: { release: number; digests: readonly string[] }) =>
          encodeFacts({ ...numbered, manifest });
        return (await releases.publish(parts, { metadata })).release;
      },
    },
    {
      name: "weights that overflow for zeros",
      code: "KN_NUMERIC",
      slices,
      publish: (scene) => scene.publishValue(3e38),
    },
    {
      name: "a missing part",
      code: "KN_CHECKPOINT",
      slices,
      async publish(scene) {
        const release = await scene.publishValue(2);
        const blobs = await scene.plain.blobs(ARTIFACT_BLOBS);
        for (const name of await blobNames(scene, release)) await blobs.delete(name);
        return release;
      },
    },
    {
      name: "a damaged part",
      code: "KN_CHECKPOINT",
      slices,
      async publish(scene) {
        const release = await scene.publishValue(2);
        const blobs = await scene.plain.blobs(ARTIFACT_BLOBS);
        for (const name of await blobNames(scene, release)) await blobs.put(name, new Uint8Array(100));
        return release;
      },
    },
    {
      name: "no signature where keys are trusted",
      code: "KN_CHECKPOINT",
      slices,
      isSigned: true,
      publish: (scene) => scene.publishValue(2),
    },
  ] satisfies Fault[];
});
FAULTS satisfies readonly Fault[];

const WRONG_BLOCKS: Fault = {
  name: "another number of blocks",
  code: "KN_SHAPE",
  slices: 2,
  async publish({ model }) {
    const network = { ...NETWORK, cuts: [] };
    const parts = [Object.assign({}, ...weights(2)) as typeof weights extends (v: number) => (infer T)[] ? T : never];
    return (await model.publish({ ...FACTS, network }, parts)).release;
  },
};

/** A release that is fine, signed where keys are trusted. */
async function publishGood(scene: ServingScene, isSigned: boolean, value: number): Promise<number> {
  if (!isSigned) return scene.publishValue(value);
  const model = openModel(scene.models, "digits", { clock: scene.clock, signer });
  const { release } = await model.publish(FACTS, weights(value));
  scene.values.set(release, value);
  return release;
}

describe.each([...FAULTS, WRONG_BLOCKS])("a release with $name, in $slices slices", (fault) => {
  const { slices, code, isSigned = false, publish } = fault;
  const options = { slices, ...(isSigned ? { model: { trusted } } : {}) };

  it("leaves the live one untouched, and is rolled back with its code in the history", async () => {
    const scene = await servingScene({ ...options, copies: 2 });
    const good = await publishGood(scene, isSigned, 1);
    await scene.force(good);
    await scene.until(() => scene.gateway.model.live?.release === good, "the good release");
    const load = createServingLoad({ scene, draw: randomFrom(21), rate: 0.3, gateways: () => [scene.gateway] });
    await load.run(50);
    const bad = await publish(scene);
    await scene.force(bad);
    await load.run(1_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual([[], []]);
    expect([...load.answers.keys()]).toEqual([good]);
    const { live, last } = await scene.model.live();
    expect([live, last?.kind, last?.by]).toEqual([good, "rolled-back", "gateway-0"]);
    expect(last?.reason).toMatch(new RegExp(`^replica-\\S+ refused release ${bad}: ${code}`));
    expect((await scene.model.history()).at(-1)).toEqual(last);
    await scene.stopAll();
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it("is rolled back at a cold start too", async () => {
    const scene = await servingScene({ ...options, isStarted: false });
    const good = await publishGood(scene, isSigned, 1);
    await scene.force(good);
    await scene.force(await publish(scene));
    for (let slice = 0; slice < slices; slice += 1) await scene.startReplica(slice);
    const gateway = await scene.startGateway();
    await scene.until(() => gateway.model.live?.release === good, "the good release", 2_000);
    const { live, last } = await scene.model.live();
    expect([live, last?.kind]).toEqual([good, "rolled-back"]);
    expect(await scene.outcome(gateway.model.infer({ input: samples(2) }))).toMatchObject({ release: good });
    await scene.stopAll();
  });
});

it("a cold start with nothing but a release that is refused refuses with a code, and takes the next one", async () => {
  await using scene = await servingScene();
  await scene.force(await scene.publishValue(3e38));
  await scene.clock.advance(3_000);
  expect(scene.gateway.model.unready).toHaveLength(1);
  expect(await scene.outcome(scene.gateway.model.infer({ input: samples(1) }))).toMatchObject({
    error: { code: "KN_UNAVAILABLE" },
    retryAfterMs: 1_000,
  });
  await scene.release(2, scene.gateway);
});

it("a live release whose only replica cannot load it again is rolled back", async () => {
  const scene = await servingScene();
  const first = await scene.release(1, scene.gateway);
  const second = await scene.release(2, scene.gateway);
  const blobs = await scene.plain.blobs(ARTIFACT_BLOBS);
  for (const name of await blobNames(scene, second)) await blobs.put(name, new Uint8Array(100));
  await scene.replica().kill();
  await scene.startReplica();
  await scene.until(() => scene.gateway.model.live?.release === first, "the release before", 5_000);
  await scene.stopAll();
});

describe("the store fails", () => {
  const OPERATIONS = ["get", "entries", "keys", "watch", "update", "create", "put", "kv", "blobs", "info", "append"];

  it.each(OPERATIONS)("at %s, some times: a swap is delayed, and nothing breaks", async (operation) => {
    const scene = await servingScene();
    await scene.release(1, scene.gateway);
    const next = await scene.publishValue(2);
    const load = createServingLoad({ scene, draw: randomFrom(31), rate: 0.2, gateways: () => [scene.gateway] });
    scene.faults.now = failTimes(6, { operation });
    await scene.force(next);
    await load.run(100);
    await scene.until(() => scene.gateway.model.live?.release === next, "the swap", 10_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual([[], []]);
    await scene.stopAll();
  });

  it("at all calls for ten seconds: what is live goes on, and the swap comes after", async () => {
    const scene = await servingScene({ slices: 2 });
    await scene.release(1, scene.gateway);
    const next = await scene.publishValue(2);
    const load = createServingLoad({ scene, draw: randomFrom(32), rate: 0.2, gateways: () => [scene.gateway] });
    scene.faults.now = failAlways();
    await scene.force(next);
    await load.run(10_000);
    expect(scene.gateway.model.live?.release).toBe(1);
    scene.faults.now = undefined;
    await scene.until(() => scene.gateway.model.live?.release === next, "the swap", 20_000);
    await load.finish();
    expect([load.faults, [...load.refusals]]).toEqual([[], []]);
    await scene.stopAll();
  });

  it("at random, under a cold start", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const scene = await servingScene({ isStarted: false });
      await scene.model.promote(await scene.publishValue(1), BY);
      scene.faults.now = randomFaults({ draw: randomFrom(seed), rate: 0.5, maxDelayMs: 1_000 });
      await scene.startReplica();
      const gateway = await scene.startGateway();
      await scene.until(() => gateway.model.live !== undefined, `a release with seed ${seed}`, 60_000);
      scene.faults.now = undefined;
      await scene.stopAll();
    }
  });

  it("the rollback of a release that is refused is tried again", async () => {
    const scene = await servingScene();
    const good = await scene.release(1, scene.gateway);
    scene.faults.now = failTimes(3, { kind: "kv", operation: "update" });
    await scene.force(await scene.publishValue(3e38));
    await scene.until(async () => (await scene.truth.live()).live === good, "the rollback", 20_000);
    await scene.stopAll();
  });
});

describe("a candidate", () => {
  const start = async (mode: "shadow" | "canary", percent: number, value = 2, before = {}) => {
    const scene = await servingScene(before);
    const live = await scene.release(1, scene.gateway);
    const candidate = await scene.publishValue(value);
    await scene.model.startCandidate({ release: candidate, mode, percent }, BY);
    await scene.until(() => scene.gateway.model.releases.length === 2, "the candidate");
    const load = createServingLoad({ scene, draw: randomFrom(41), rate: 0, gateways: () => [scene.gateway] });
    return { scene, live, candidate, load };
  };
  const isOver = async (scene: ServingScene): Promise<boolean> => (await scene.model.live()).candidate === undefined;

  it.each([1, 10, 25, 50, 100])(
    "as a canary of %i percent answers exactly its share of 1,000 requests",
    async (percent) => {
      const { scene, live, candidate, load } = await start("canary", percent);
      for (let index = 0; index < 1_000; index += 1) {
        load.send(scene.gateway);
        if (index % 4 === 3) await scene.clock.advance(5);
      }
      await load.finish();
      expect([load.faults, [...load.refusals]]).toEqual([[], []]);
      expect([load.answers.get(candidate) ?? 0, load.answers.get(live) ?? 0]).toEqual([
        10 * percent,
        1_000 - 10 * percent,
      ]);
      await scene.stopAll();
    },
  );

  it("as a canary does not cut batches into pieces", async () => {
    const { scene, load } = await start("canary", 50, 2, { batchMs: 20 });
    for (let index = 0; index < 32; index += 1) load.send(scene.gateway, { input: samples(1) });
    const before = scene.clock.now();
    await load.finish();
    // 1 + 16 + 15 samples in batches of 8: five batches.
    expect(scene.clock.now() - before).toBeLessThan(20 * 7);
    await scene.stopAll();
  });

  it("as a canary is withdrawn when it fails, with its numbers", async () => {
    const isBad = { number: 0 };
    const { scene, candidate, load } = await start("canary", 20, 2, {
      before: (_: string, call: string, release: number) => {
        if (call === "infer" && release === isBad.number) throw new TypeError("a bug of this network");
      },
    });
    isBad.number = candidate;
    for (let index = 0; index < 200; index += 1) {
      load.send(scene.gateway);
      await scene.clock.advance(4);
    }
    await load.finish();
    await scene.until(() => isOver(scene), "its end", 5_000);
    const { last, live } = await scene.model.live();
    expect([last?.kind, last?.reason, live]).toEqual(["candidate-ended", "100 % of its requests failed", 1]);
    expect(last?.numbers).toMatchObject({ failures: 20, answers: 0 });
    expect(load.refusals.get("KN_INVARIANT")).toBeGreaterThanOrEqual(20);
    await scene.stopAll();
  });

  it("as a canary is withdrawn when its answers are not finite", async () => {
    const { scene, load } = await start("canary", 50, 2e36);
    for (let index = 0; index < 200; index += 1) {
      load.send(scene.gateway, { input: samples(1, 100) });
      await scene.clock.advance(4);
    }
    await load.finish();
    expect((await scene.model.live()).last).toMatchObject({
      kind: "candidate-ended",
      reason: "100 % of its answers are not finite",
    });
    await scene.stopAll();
  });

  it.each([10, 50, 90])("as a canary of %i percent is withdrawn when it takes three times as long", async (percent) => {
    const { scene, candidate, load } = await start("canary", percent);
    scene.slowness.set(candidate, 3);
    for (let index = 0; index < 600; index += 1) {
      load.send(scene.gateway, { input: samples(1 + (index % 4)) });
      await scene.clock.advance(8);
    }
    await load.finish();
    const { last } = await scene.model.live();
    expect(last).toMatchObject({ kind: "candidate-ended" });
    expect(last?.reason).toMatch(/times as long$/);
    await scene.stopAll();
  });

  it("as a shadow answers nobody, and its answers are compared", async () => {
    const { scene, live, candidate, load } = await start("shadow", 100);
    for (let index = 0; index < 100; index += 1) {
      load.send(scene.gateway);
      await scene.clock.advance(10);
    }
    await load.finish();
    expect([...load.answers.keys()]).toEqual([live]);
    expect((await scene.model.live()).candidate?.release).toBe(candidate);
    await scene.stopAll();
  });

  it("as a shadow that alone is not finite is withdrawn, and no request noticed", async () => {
    const { scene, live, load } = await start("shadow", 50, 2e36);
    for (let index = 0; index < 50; index += 1) {
      load.send(scene.gateway, { input: samples(1, 100) });
      await scene.clock.advance(10);
    }
    await load.finish();
    expect([[...load.answers.keys()], [...load.refusals]]).toEqual([[live], []]);
    expect((await scene.model.live()).last).toMatchObject({ kind: "candidate-ended", numbers: { nonFinite: 3 } });
    await scene.stopAll();
  });

  it("as a shadow delays a request by one copy at most", async () => {
    const { scene, load } = await start("shadow", 100, 2, { batchMs: 10 });
    for (let index = 0; index < 60; index += 1) {
      load.send(scene.gateway, { input: samples(1) });
      await scene.clock.advance(7);
    }
    await load.finish();
    const slowest = Math.max(...scene.reports.map(({ queueMs, computeMs }) => queueMs + computeMs));
    expect(slowest).toBeLessThanOrEqual(3 * 10 + 2); // one that is computed, a copy, and itself
    await scene.stopAll();
  });

  it("that is refused by a replica is ended with its code", async () => {
    await using scene = await servingScene();
    await scene.release(1, scene.gateway);
    const candidate = await scene.publishValue(3e38);
    await scene.model.startCandidate({ release: candidate, mode: "canary", percent: 10 }, BY);
    await scene.until(() => isOver(scene), "its end", 2_000);
    expect((await scene.model.live()).last?.reason).toMatch(/^replica-0 refused it: KN_NUMERIC/);
  });
});

describe("a release that became live", () => {
  it.each([
    ["fails", 2, "KN_INVARIANT"],
    ["is not finite", 2e36, "KN_NUMERIC"],
  ])("and %s is rolled back by itself, with its numbers", async (what, value, code) => {
    const isBad = { number: 0 };
    const scene = await servingScene({
      before(_, call, release) {
        if (call === "infer" && release === isBad.number) throw new TypeError("a bug of this network");
      },
    });
    const good = await scene.release(1, scene.gateway);
    const bad = await scene.release(value, scene.gateway);
    if (what === "fails") isBad.number = bad;
    const load = createServingLoad({ scene, draw: randomFrom(51), rate: 0, gateways: () => [scene.gateway] });
    for (let index = 0; index < 60; index += 1) {
      load.send(scene.gateway, { input: samples(1, 100) });
      await scene.clock.advance(5);
    }
    await load.finish();
    await scene.until(() => scene.gateway.model.live?.release === good, "the rollback", 2_000);
    expect([...load.refusals.keys()]).toEqual([code]);
    const { last } = await scene.model.live();
    expect(last).toMatchObject({ kind: "rolled-back", from: bad, to: good, by: "gateway-0" });
    expect(Object.keys(last?.numbers ?? {})).toContain("failureShareBefore");
    await scene.stopAll();
  });

  it("and takes three times as long is rolled back by itself", async () => {
    const scene = await servingScene();
    const good = await scene.release(1, scene.gateway);
    const load = createServingLoad({ scene, draw: randomFrom(52), rate: 0.1, gateways: () => [scene.gateway] });
    await load.run(1_000);
    const slow = await scene.publishValue(2);
    scene.slowness.set(slow, 3);
    await scene.model.promote(slow, BY);
    await scene.until(() => scene.gateway.model.live?.release === slow, "the slow one");
    await load.run(5_000);
    await load.finish();
    expect(scene.gateway.model.live?.release).toBe(good);
    expect((await scene.model.live()).last?.reason).toMatch(/times as long$/);
    await scene.stopAll();
  });

  it("and is slow for a moment, with a machine that is busy, stays", async () => {
    const scene = await servingScene();
    await scene.release(1, scene.gateway);
    const load = createServingLoad({ scene, draw: randomFrom(54), rate: 0.3, gateways: () => [scene.gateway] });
    await load.run(1_000);
    const good = await scene.publishValue(2);
    scene.slowness.set(good, 4);
    await scene.model.promote(good, BY);
    await scene.until(() => scene.gateway.model.live?.release === good, "the other one");
    await load.run(1_000);
    scene.slowness.set(good, 1);
    await load.run(10_000);
    await load.finish();
    expect(scene.gateway.model.live?.release).toBe(good);
    await scene.stopAll();
  });

  it("by a rollback is not judged", async () => {
    const scene = await servingScene();
    const slow = await scene.release(1, scene.gateway);
    await scene.release(2, scene.gateway);
    scene.slowness.set(slow, 5);
    const load = createServingLoad({ scene, draw: randomFrom(53), rate: 0.1, gateways: () => [scene.gateway] });
    await load.run(1_000);
    await scene.model.rollback(BY);
    await load.run(2_000);
    await load.finish();
    expect(scene.gateway.model.live?.release).toBe(slow);
    await scene.stopAll();
  });
});

describe("a request that names a release", () => {
  it("gets it while replicas have it, and KN_CONFIG with those that there are otherwise", async () => {
    await using scene = await servingScene();
    const first = await scene.release(1, scene.gateway);
    const second = await scene.release(2, scene.gateway);
    for (const release of [first, second]) {
      const outcome = await scene.outcome(scene.gateway.model.infer({ input: samples(1), release }));
      expect(outcome).toMatchObject({ kind: "answer", release });
      expect(scene.fault(samples(1), outcome)).toBeUndefined();
    }
    const refused = await scene.outcome(scene.gateway.model.infer({ input: samples(1), release: 9 }));
    expect(refused).toMatchObject({ error: { code: "KN_CONFIG", value: "9" } });
  });

  it("of the release before waits for its replica to come back", async () => {
    await using scene = await servingScene();
    const first = await scene.release(1, scene.gateway);
    await scene.release(2, scene.gateway);
    await scene.replica().kill();
    const pending = scene.gateway.model.infer({ input: samples(1), release: first, timeoutMs: 5_000 });
    await scene.clock.advance(400);
    await scene.startReplica();
    expect(await scene.outcome(pending)).toMatchObject({ kind: "answer", release: first });
  });
});
