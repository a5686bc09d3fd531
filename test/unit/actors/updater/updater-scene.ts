/** A learner's shelf in one store, a site with an updater and its model in another one; both may fail. Simulated time. */
import { createUpdaterActor } from "../../../../src/actors/updater/index.ts";
import { modelsInStore, type NamedTensors, newKeyPair, openModel } from "../../../../src/models/index.ts";
import type { Signer, TrustedKey } from "../../../../src/models/index.ts";
import {
  applyUpdates,
  type BuiltUpdate,
  buildUpdate,
  digestOfTensors,
  extendChain,
  NO_UPDATES,
  openUpdateShelf,
  type UpdateChain,
  type UpdateContent,
} from "../../../../src/models/updates/index.ts";
import type { Actor } from "../../../../src/runtime/actor/index.ts";
import { memoryBus } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";
import { type Logger, silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { failingStore, switchedFaults } from "../../../support/failing-store.ts";
import { FACTS, weights } from "../../models/model-scene.ts";

export { newKeyPair };
const MODEL = "digits";
/** Other weights than those of the site's release. */
export const BEGIN = 0.5;

export interface UpdaterSceneOptions {
  /** Of the learner. */
  readonly signer?: Signer;
  readonly trusted?: readonly TrustedKey[];
  /** The site has a release, 1, live: its weights are all 1. @default true */
  readonly hasRelease?: boolean;
  /** What the learner's weights are at first, all of them. @default BEGIN */
  readonly begin?: number;
  /** @default none */
  readonly log?: Logger;
}

/** All tensors of the model, every value `value`. */
const tensorsOf = (value: number): NamedTensors => Object.assign({}, ...weights(value)) as NamedTensors;

const PARTIAL: UpdateContent = {
  kind: "masked",
  coding: { codec: "f32" },
  indices: { "weights/d1/kernel": Uint32Array.of(0, 3), "weights/d2/kernel": Uint32Array.of(1) },
};

export async function updaterScene({
  signer,
  trusted = [],
  hasRelease = true,
  begin = BEGIN,
  log = silentLogger,
}: UpdaterSceneOptions = {}) {
  const clock = simulatedClock();
  const faults = { cloud: switchedFaults(), site: switchedFaults() };
  const plain = { cloud: await memoryStore({ clock }), site: await memoryStore({ clock }) };
  const cloud = failingStore(plain.cloud, faults.cloud, clock);
  const siteModels = modelsInStore(failingStore(plain.site, faults.site, clock));
  /** The site's model without faults. */
  const truth = openModel(modelsInStore(plain.site), MODEL, { clock });
  const shelf = await openUpdateShelf(plain.cloud, MODEL);
  if (hasRelease) await truth.publish(FACTS, weights(1));
  if (hasRelease) await truth.promote(1, { by: "test" });
  const signed = signer === undefined ? {} : { signer };

  let chain: UpdateChain = NO_UPDATES;
  let tensors = tensorsOf(begin);
  const make = (number: number, trained: NamedTensors, content: UpdateContent): BuiltUpdate => {
    const base = { number: chain.newest?.number ?? 0, tensors };
    return buildUpdate({ model: MODEL, number, base, trained, content, ...signed });
  };
  const extend = (built: BuiltUpdate): BuiltUpdate => {
    chain = extendChain(chain, built.update);
    tensors = built.tensors;
    return built;
  };
  const build = (number: number, trained: NamedTensors, content: UpdateContent): BuiltUpdate =>
    extend(make(number, trained, content));
  const learner = {
    get digest() {
      return chain.newest?.digest;
    },
    get number() {
      return chain.newest?.number ?? 0;
    },
    /** The next number, of weights that are all `value` where the update has them; it is not put yet. */
    next: (value: number, content = PARTIAL) => build(learner.number + 1, tensorsOf(value), content),
    anchor: () => build(Math.max(1, learner.number), tensors, { kind: "full" }),
    put: (built: BuiltUpdate) => shelf.put(built),
    /** Offers it: the next number, as `next`; it is not promoted. */
    async offer(value: number): Promise<BuiltUpdate> {
      const built = make(learner.number + 1, tensorsOf(value), PARTIAL);
      await shelf.offer(built);
      return built;
    },
    /** Promotes what was offered. */
    promote: (built: BuiltUpdate) => shelf.put(extend(built)),
  };

  const digestOf = async (number: number | undefined): Promise<string | undefined> => {
    if (number === undefined) return undefined;
    const release = await truth.release(number);
    const loading = Promise.all(release.digests.map((_, block) => truth.loadPart(release, block)));
    const parts = await loading.catch(() => undefined); // deleted
    return parts === undefined ? undefined : digestOfTensors(Object.assign({}, ...parts) as NamedTensors);
  };

  const siteOf = (id: string) => {
    let running: Actor | undefined;
    let bus = memoryBus({ onHandlerError: () => undefined });
    return {
      get actor(): Actor {
        if (running === undefined) throw new RangeError("the updater is not started");
        return running;
      },
      async start(): Promise<void> {
        bus = memoryBus({ onHandlerError: () => undefined });
        running = createUpdaterActor(
          {
            ...{ run: "serve-digits", id, fence: 0, softwareVersion: "0.0.0", metadata: {} },
            ...{ source: "the cloud", updates: { trusted }, keptReleases: 2 },
          },
          {
            ...{ bus, clock, log },
            model: openModel(siteModels, MODEL, { clock }),
            models: siteModels,
            openShelf: () => openUpdateShelf(cloud, MODEL),
            apply: (steps, shapes, base) => Promise.resolve().then(() => applyUpdates(steps, shapes, base)),
            random: () => 0.5,
          },
        );
        await running.start();
      },
      async stop(): Promise<void> {
        const ending = running?.stop();
        await until(async () => ending !== undefined && (await isSettled(ending)), "the updater has ended");
        await bus.close();
        running = undefined;
      },
      get figures() {
        return bus.services.find(({ name }) => name === "kn-updater")?.data ?? {};
      },
      /** Digest of what is live. */
      digest: async (): Promise<string | undefined> => digestOf((await truth.live()).live),
      /** Digest of the shadow. */
      async shadow(): Promise<string | undefined> {
        const { candidate } = await truth.live();
        return candidate?.mode === "shadow" ? digestOf(candidate.release) : undefined;
      },
    };
  };
  const site = siteOf("updater-0");

  /** Lets time pass until the condition holds. */
  async function until(holds: () => boolean | Promise<boolean>, what: string, limitMs = 900_000): Promise<void> {
    const endMs = clock.now() + limitMs;
    for (;;) {
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (await holds()) return;
      if (clock.now() >= endMs) throw new Error(`in vain for ${what}`);
      await clock.advance(250);
    }
  }

  return {
    ...{ clock, faults, plain, truth, shelf, learner, site, until },
    /** Of each release that an updater has published, oldest first. */
    async published(): Promise<readonly (string | undefined)[]> {
      const own = (await truth.releases()).filter(({ manifest }) => manifest.origin.kind === "continuous");
      return Promise.all(own.toReversed().map(({ release }) => digestOf(release)));
    },
    /** Until this is the shadow; undefined: there is none. */
    shadowed: (built: BuiltUpdate | undefined) =>
      until(async () => (await site.shadow()) === built?.result.digest, `shadow ${built?.result.number}`),
    /** A second updater of the site. */
    another: () => siteOf("updater-1"),
    /** Until the site serves the learner's newest weights. */
    caughtUp: (limitMs?: number) =>
      until(async () => (await site.digest()) === learner.digest, `update ${learner.number}`, limitMs),
  };
}

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([work, Promise.resolve(pending)])) !== pending;
}

export { FACTS, weights };
