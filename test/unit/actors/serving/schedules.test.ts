/**
 * Random schedules of faults on a served model in simulated time: every request ends by its deadline, with the answer of the
 * release that it names or with a code, and at the end the model answers again and nothing is left. `KN_SCHEDULES` sets
 * their number (5,000 for the long run), `KN_SEED` the first of them.
 */
import { expect, it } from "vitest";
import { failAlways, randomFaults } from "../../../support/failing-store.ts";
import { randomFrom } from "../../../support/random.ts";
import type { Gateway } from "../../../../src/actors/gateway/index.ts";
import { isKnowledgeNetError } from "../../../../src/errors/index.ts";
import { createServingLoad } from "./serving-load.ts";
import { BY, type SceneProcess, servingScene, type ServingScene } from "./serving-scene.ts";

const SCHEDULES = Number(process.env["KN_SCHEDULES"] ?? 200);
const FIRST_SEED = Number(process.env["KN_SEED"] ?? 1);

const KINDS = [
  "kill replica",
  "restart replica",
  "freeze replica",
  "worker death",
  "interruption",
  "store errors",
  "store away",
  "promotion",
  "rollback",
  "canary",
  "shadow",
  "bad release",
  "kill gateway",
  "restart gateway",
  "lost messages",
] as const;
type Kind = (typeof KINDS)[number];

const MOST_FAULTS = 5;
/** Faults begin within this, and each is over after at most as long again, ms. */
const SPREAD_MS = 1_500;
const LONGEST_MS = 1_500;
const TIMEOUTS_MS = [20, 200, 1_000, 3_000];

interface World {
  readonly scene: ServingScene;
  readonly draw: () => number;
  readonly gateways: (SceneProcess<Gateway> | undefined)[];
  readonly slices: 1 | 2;
  readonly copies: number;
}

/** Another process takes its place, as its supervisor sees to it: again and again while the server is away. */
async function untilStarted<T>({ scene: { clock } }: World, afterMs: number, start: () => Promise<T>): Promise<T> {
  await clock.sleep(afterMs);
  for (;;) {
    try {
      return await start();
    } catch (error) {
      onlyKnown(error);
      await clock.sleep(100);
    }
  }
}
async function replaceReplica(world: World, slice: number, copy: number, afterMs: number): Promise<void> {
  await untilStarted(world, afterMs, () => world.scene.startReplica(slice, copy));
}
async function replaceGateway(world: World, index: number, afterMs: number): Promise<void> {
  world.gateways[index] = await untilStarted(world, afterMs, () => world.scene.startGatewayProcess(index));
}

async function play(world: World, kind: Kind): Promise<void> {
  const { scene, draw, gateways, slices, copies } = world;
  const { clock, broker, faults } = scene;
  const [slice, copy, index] = [draw() * slices, draw() * copies, draw() * gateways.length].map(Math.floor) as [
    number,
    number,
    number,
  ];
  const replica = scene.replica(slice, copy);
  const gateway = gateways[index];
  await clock.sleep(Math.floor(draw() * SPREAD_MS));
  const forMs = 50 + Math.floor(draw() * LONGEST_MS);
  const releases = [...scene.values.keys()];
  const known = releases[Math.floor(draw() * releases.length)] ?? 1;
  switch (kind) {
    case "kill replica":
      if (scene.replica(slice, copy) !== replica) return; // it is another one by now
      await replica.kill();
      return replaceReplica(world, slice, copy, forMs);
    case "restart replica":
      if (scene.replica(slice, copy) !== replica || replica.isKilled) return;
      await replica.actor.stop();
      return replaceReplica(world, slice, copy, Math.floor(forMs / 2));
    case "freeze replica": {
      const thaw = scene.freeze(replica.id);
      await clock.sleep(forMs);
      thaw();
      return;
    }
    case "worker death":
      if (scene.replica(slice, copy) !== replica || replica.isKilled) return;
      scene.killWorker(replica);
      await Promise.race([replica.actor.ended, clock.sleep(forMs)]);
      await replica.actor.stop();
      return replaceReplica(world, slice, copy, 100);
    case "interruption":
      broker.interrupt();
      await clock.sleep(forMs);
      broker.restore();
      return;
    case "store errors":
      faults.now = randomFaults({ draw, rate: 0.7 * draw(), maxDelayMs: 500 });
      await clock.sleep(forMs);
      faults.now = undefined;
      return;
    case "store away":
      faults.now = failAlways();
      await clock.sleep(forMs);
      faults.now = undefined;
      return;
    case "promotion":
      await scene.truth.promote(await scene.publishTrue(1 + scene.values.size), BY);
      return;
    case "rollback":
      await scene.truth.rollback(BY).catch(onlyKnown);
      return;
    case "canary":
    case "shadow": {
      const candidate = { release: known, mode: kind, percent: 1 + Math.floor(100 * draw()) };
      await scene.truth.startCandidate(candidate, BY).catch(onlyKnown);
      return;
    }
    case "bad release":
      await scene.force(await scene.publishTrue(3e38));
      return;
    case "kill gateway":
    case "restart gateway":
      if (gateway === undefined) return;
      gateways[index] = undefined;
      if (kind === "kill gateway") await gateway.kill();
      else await gateway.actor.stop();
      return replaceGateway(world, index, Math.floor(forMs / 2));
    case "lost messages":
      scene.lose(1 + Math.floor(10 * draw()));
      return;
  }
}

function onlyKnown(error: unknown): void {
  if (!isKnowledgeNetError(error)) throw error;
}

async function run(seed: number): Promise<{ answers: number; refusals: number }> {
  const draw = randomFrom(seed * 2654435761);
  const slices = draw() < 0.5 ? 1 : 2;
  const copies = 1 + Math.floor(2 * draw());
  const scene = await servingScene({ slices, copies, isStarted: false, batchMs: 1 + Math.floor(6 * draw()) });
  const world: World = { scene, draw, slices, copies, gateways: [] };
  for (let slice = 0; slice < slices; slice += 1)
    for (let copy = 0; copy < copies; copy += 1) await scene.startReplica(slice, copy);
  for (let index = 0; index < (draw() < 0.3 ? 2 : 1); index += 1)
    world.gateways.push(await scene.startGatewayProcess(index));
  const present = (): Gateway[] => world.gateways.flatMap((each) => (each === undefined ? [] : [each.actor]));
  await scene.truth.promote(await scene.publishTrue(1), BY);

  const load = createServingLoad({
    scene,
    draw,
    rate: 0.15,
    gateways: present,
    extra: (next) => ({
      timeoutMs: TIMEOUTS_MS[Math.floor(next() * TIMEOUTS_MS.length)] ?? 1_000,
      client: `client-${Math.floor(next() * 3)}`,
      priority: next() < 0.2 ? "bulk" : "interactive",
      ...(next() < 0.05 ? { release: 1 + Math.floor(next() * 3) } : {}),
      ...(next() < 0.05 ? { signal: abortAfter(scene, Math.floor(next() * 20)) } : {}),
    }),
  });
  const kinds = Array.from(
    { length: 1 + Math.floor(draw() * MOST_FAULTS) },
    (): Kind => KINDS[Math.floor(draw() * KINDS.length)] ?? "promotion",
  );
  let isOver = false;
  let failure: unknown;
  Promise.all(kinds.map((kind) => play(world, kind)))
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      isOver = true;
    });
  try {
    await load.run(SPREAD_MS);
    await scene.until(() => isOver, "the end of the faults", 30_000);
    expect(failure).toBeUndefined();
    scene.faults.now = undefined;
    scene.lose(0);
    await load.finish();
    // Of two bad releases after one another none is left to go back to: an operator promotes another one.
    if (kinds.filter((kind) => kind === "bad release").length > 1)
      await scene.truth.promote(await scene.publishTrue(1 + scene.values.size), BY);
    // The system answers again, with what the record says.
    await scene.until(
      async () => {
        const { live } = await scene.truth.live();
        return world.gateways.every((each) => each?.actor.model.live?.release === live);
      },
      "the live release",
      30_000,
    );
    for (const each of present()) {
      const before = [...load.answers.values()].reduce((sum, count) => sum + count, 0);
      load.send(each, { timeoutMs: 5_000 });
      await load.finish();
      const after = [...load.answers.values()].reduce((sum, count) => sum + count, 0);
      expect([after - before, [...load.refusals]]).toEqual([1, [...load.refusals]]);
    }
    expect(load.faults).toEqual([]);
  } catch (error) {
    throw new Error(`${kinds.join(", ")}; ${slices} slices, ${copies} copies: ${String(error)}`);
  } finally {
    await scene.stopAll();
  }
  await scene.clock.advance(2_000); // delays of the store's faults
  expect([kinds, scene.clock.pendingTimers]).toEqual([kinds, 0]);
  const count = (counts: ReadonlyMap<unknown, number>): number =>
    [...counts.values()].reduce((sum, each) => sum + each, 0);
  return { answers: count(load.answers), refusals: count(load.refusals) };
}

function abortAfter({ clock }: ServingScene, ms: number): AbortSignal {
  const controller = new AbortController();
  clock.setTimeout(() => {
    controller.abort();
  }, ms);
  return controller.signal;
}

it(
  `serving: every request ends right in ${SCHEDULES} random schedules of faults, and nothing is left`,
  async () => {
    console.log(`seeds ${FIRST_SEED} to ${FIRST_SEED + SCHEDULES - 1}: KN_SEED=<seed> KN_SCHEDULES=1 repeats one`);
    const failures: string[] = [];
    const sums = { answers: 0, refusals: 0 };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
      try {
        const { answers, refusals } = await run(seed);
        sums.answers += answers;
        sums.refusals += refusals;
      } catch (error) {
        failures.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    expect(failures).toEqual([]);
    console.log(JSON.stringify(sums));
    // Most faults are of one replica, or short.
    if (SCHEDULES >= 100) expect(sums.answers).toBeGreaterThan(3 * sums.refusals);
  },
  20 * SCHEDULES * 1_000,
);
