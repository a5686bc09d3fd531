/**
 * An edge whose link to the cloud is cut for half an hour: gateway, replica, observer and updater are the real ones, the
 * models are in the edge's store, the shelf of updates in the cloud's, the observations in the one or the other.
 */
import { describe, expect, it } from "vitest";
import { createObserverActor, type ObserverActorOptions } from "../../../../src/actors/observer/index.ts";
import { createUpdaterActor } from "../../../../src/actors/updater/index.ts";
import type { InferenceOutcome } from "../../../../src/actors/gateway/index.ts";
import type { ObservedInput } from "../../../../src/messages/index.ts";
import { modelsInStore, type NamedTensors } from "../../../../src/models/index.ts";
import { openObservationLog } from "../../../../src/models/observations/index.ts";
import { applyUpdates, buildUpdate, openUpdateShelf } from "../../../../src/models/updates/index.ts";
import { memoryStore, type Store } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { failAlways, failingStore, type StoreFault, switchedFaults } from "../../../support/failing-store.ts";
import { weights } from "../../models/model-scene.ts";
import { INPUT_BYTES, mostInAMinute, OBSERVER } from "../observer/observer-scene.ts";
import { expected, RUN, samples, servingScene } from "./serving-scene.ts";

const MINUTE_MS = 60_000;
const ALONE_MS = 30 * MINUTE_MS;
/** A local server that has no link knows it at once; over a connection that is cut the time limit of a call tells. */
const REFUSED: StoreFault = { kind: "refused" };
const TIMEOUT: StoreFault = { kind: "timeout", delayMs: 5_000 };
/** By then the observer has caught up, ms. */
const DRAIN_MS = 15 * MINUTE_MS;
/** Within which an edge must be current again, ms. */
const CURRENT_MS = 10_000;
const REQUEST_EVERY_MS = 2_000;
/** Bytes are for fewer inputs than inputs. */
const BUDGET = { inputsPerMinute: 12, bytesPerMinute: 10 * INPUT_BYTES.f32 };
const OPTIONS: Omit<ObserverActorOptions, "epoch" | "id"> = {
  ...OBSERVER,
  budget: BUDGET,
  slotsPerMinute: 2,
  maxHeldInputs: 50,
  maxEntries: 60,
};
const ALL = { "weights/d1/kernel": 8, "weights/d1/bias": 2, "weights/d2/kernel": 6 };

const tensorsOf = (value: number): NamedTensors => Object.assign({}, ...weights(value)) as NamedTensors;

/** Updates 1, 2, ... on the shelf: number `n` makes all weights `10 + n`; the first is a full one. */
async function learnerOn(store: Store) {
  const shelf = await openUpdateShelf(store, "digits");
  let number = 0;
  return {
    valueOf: (of: number): number => 10 + of,
    async promote(): Promise<void> {
      const base = { number, tensors: tensorsOf(10 + number) };
      number += 1;
      const indices = Object.fromEntries(
        Object.entries(ALL).map(([name, count]) => [name, Uint32Array.from({ length: count }, (_, at) => at)]),
      );
      const trained = tensorsOf(10 + number);
      const whole = { model: "digits", number, trained, content: { kind: "full" } } as const;
      const content = { kind: "masked", coding: { codec: "f32" }, indices } as const;
      await shelf.put(buildUpdate(number === 1 ? whole : { ...whole, base, content }));
    },
  };
}

interface ObserverFigures {
  readonly inputs: Readonly<Record<"observed", number>>;
  readonly observations: Readonly<Record<"logged" | "overflowed" | "expiredHeld" | "refused", number>>;
  readonly held: Readonly<Record<"inputs" | "bytes", number>>;
}

interface Sent {
  readonly atMs: number;
  readonly from: number;
  outcome?: InferenceOutcome;
}

/** @param observationsAt where the log of observations is */
async function edgeScene(observationsAt: "edge" | "cloud") {
  const scene = await servingScene({ gateway: { observe: "all" } });
  const { clock, model, models, broker, gateway, truth } = scene;
  const link = switchedFaults();
  const plainCloud = await memoryStore({ clock });
  const cloud = failingStore(plainCloud, link, clock);
  /** When each observation was appended, ms. */
  const appends: number[] = [];
  const observations = observationsAt === "edge" ? scene.plain : cloud;
  const counting = failingStore(
    observations,
    ({ bucket, operation }) => {
      if (bucket === "observe.digits" && operation === "append" && link.now === undefined) appends.push(clock.now());
      return undefined;
    },
    clock,
  );
  const learner = await learnerOn(plainCloud);
  await scene.release(1, gateway);

  const bus = broker.connect({ clock, onHandlerError: () => undefined });
  const common = { run: RUN, fence: 0, softwareVersion: "0.0.0", metadata: {} };
  const observer = createObserverActor(
    { ...OPTIONS, id: "observer-0", epoch: "e" },
    { bus, clock, log: silentLogger, model, store: modelsInStore(counting) },
  );
  const updater = createUpdaterActor(
    { ...common, id: "updater-0", source: "the cloud" },
    {
      ...{ bus, clock, log: silentLogger, model, models },
      openShelf: () => openUpdateShelf(cloud, "digits"),
      apply: (steps, shapes, base) => Promise.resolve(applyUpdates(steps, shapes, base)),
      random: () => 0.5,
    },
  );
  for (const actor of [observer, updater]) {
    scene.running.add(actor);
    await actor.start();
  }

  const sent: Sent[] = [];
  const request = (): void => {
    const from = sent.length + 1;
    const each: Sent = { atMs: clock.now(), from };
    sent.push(each);
    void gateway.model.infer({ input: samples(1, from) }).then((outcome) => {
      each.outcome = outcome;
    });
  };
  const statsOf = (name: string): Readonly<Record<string, unknown>> =>
    bus.services.find((service) => service.name === name)?.data ?? {};
  return {
    ...scene,
    ...{ appends, learner, sent, link, updater, observer },
    observed: () => statsOf("kn-observer") as unknown as ObserverFigures,
    async logged(): Promise<readonly ObservedInput[]> {
      const found: ObservedInput[] = [];
      const log = await openObservationLog(observationsAt === "edge" ? scene.plain : plainCloud, "digits");
      for await (const { observation } of log.read()) if (observation !== undefined) found.push(observation);
      return found;
    },
    /** Requests go on for so long. */
    async serve(forMs: number, onTick: () => void | Promise<void> = () => undefined): Promise<void> {
      for (let passedMs = 0; passedMs < forMs; passedMs += REQUEST_EVERY_MS) {
        request();
        await clock.advance(REQUEST_EVERY_MS);
        await onTick();
      }
    },
    /** What is wrong with the answers, those of requests that are not answered too. */
    faults: (): string[] =>
      sent.flatMap(({ from, outcome }) => {
        if (outcome?.kind !== "answer") return [`request ${from}: ${outcome?.kind ?? "no answer"}`];
        const want = expected(scene.values.get(outcome.release) ?? Number.NaN, samples(1, from));
        return want.join() === [...outcome.logits.values].join() ? [] : [`request ${from}: not as ${outcome.release}`];
      }),
    /** Of the update whose release the gateway answers with; 0: of none. */
    async liveNumber(): Promise<number> {
      const { live } = gateway.model;
      const { release, manifest } = await truth.release(live?.release ?? 1);
      if (manifest.origin.kind !== "continuous") return 0;
      const { generation: number } = manifest.origin;
      scene.values.set(release, learner.valueOf(number));
      return number;
    },
  };
}
type EdgeScene = Awaited<ReturnType<typeof edgeScene>>;

/**
 * Cuts the link for so long; updates are promoted meanwhile.
 * @returns the most observations that were held
 */
async function leaveAlone(scene: EdgeScene, forMs: number, fault: StoreFault): Promise<number> {
  const { link, learner } = scene;
  const number = await scene.liveNumber();
  let mostHeld = 0;
  const look = (): void => {
    mostHeld = Math.max(mostHeld, scene.observed().held.inputs);
  };
  link.now = failAlways({}, fault);
  await scene.serve(forMs / 2, look);
  for (let updates = 0; updates < 3; updates += 1) await learner.promote();
  await scene.serve(forMs / 2, look);
  expect(await scene.liveNumber()).toBe(number);
  link.now = undefined;
  return mostHeld;
}

describe("an edge whose link is cut for half an hour", () => {
  it.each<["edge" | "cloud", StoreFault]>([
    ["cloud", TIMEOUT],
    ["edge", REFUSED],
  ])(
    "answers all, and is current within 10 s of its return, within its bounds: observations in the store of the %s",
    async (at, fault) => {
      await using scene = await edgeScene(at);
      const { learner } = scene;
      await learner.promote();
      await scene.serve(MINUTE_MS);
      expect(await scene.liveNumber()).toBe(1);

      const mostHeld = await leaveAlone(scene, ALONE_MS, fault);
      expect(mostHeld).toBeLessThanOrEqual(OPTIONS.maxHeldInputs);
      expect(mostHeld === OPTIONS.maxHeldInputs).toBe(at === "cloud");
      expect(scene.observed().observations.overflowed > 0).toBe(at === "cloud");
      await scene.serve(CURRENT_MS);
      expect(await scene.liveNumber()).toBe(4);

      // What was held goes up beside what is new.
      await scene.serve(DRAIN_MS);
      const { inputs, observations, held } = scene.observed();
      expect(held.inputs).toBeLessThanOrEqual(BUDGET.inputsPerMinute);
      const log = await scene.logged();
      const newestMs = Math.max(...log.map(({ atMs }) => atMs));
      expect(scene.clock.wallTimeMs() - newestMs).toBeLessThan(2 * MINUTE_MS);
      expect(log.length).toBeLessThanOrEqual(2 * OPTIONS.maxEntries);
      const { logged, overflowed, expiredHeld, refused } = observations;
      expect(logged + overflowed + expiredHeld + refused + held.inputs).toBe(inputs.observed);
      const most = mostInAMinute(scene.appends);
      expect(most).toBeLessThanOrEqual(BUDGET.inputsPerMinute);
      expect(most * INPUT_BYTES.f32).toBeLessThanOrEqual(BUDGET.bytesPerMinute);
      expect(most * INPUT_BYTES.f32).toBeGreaterThan(BUDGET.bytesPerMinute / 2);
      expect(scene.faults()).toEqual([]);
    },
    120_000,
  );

  it.each([
    [REFUSED.kind, REFUSED],
    [TIMEOUT.kind, TIMEOUT],
  ])(
    "is current within 10 s at whatever point between two attempts the link returns: calls end with %s",
    async (_kind, fault) => {
      await using scene = await edgeScene("cloud");
      await scene.learner.promote();
      await scene.serve(MINUTE_MS);
      for (let offset = 0; offset < 10; offset += 1) {
        await leaveAlone(scene, MINUTE_MS, fault);
        await scene.serve(CURRENT_MS);
        expect(await scene.liveNumber()).toBe(1 + 3 * (offset + 1));
        await scene.clock.advance(1_000 * offset);
      }
      expect(scene.faults()).toEqual([]);
    },
    60_000,
  );
});
