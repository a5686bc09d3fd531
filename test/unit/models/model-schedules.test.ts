/**
 * Publishers, operators, retention and collection at once over a store that fails, in any order of their calls: what is
 * live, previous or a candidate always loads, pinned releases stay, and the history is whole.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError, KnowledgeNetError } from "../../../src/errors/index.ts";
import { type Model, modelsInStore, openModel } from "../../../src/models/index.ts";
import {
  applyArtifactCollection,
  ARTIFACT_BLOBS,
  planArtifactCollection,
} from "../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../src/runtime/store/index.ts";
import { BY, FACTS, loadAll, weights } from "./model-scene.ts";

/** What happens to one call of the store. */
type Fate = "works" | "is lost" | "loses its answer" | "ends the process";

/** A process whose calls each wait for their turn among those of all processes, and meet their fate. */
function processOn(store: Store, s: fc.Scheduler, nextFate: () => Fate): Store {
  let hasEnded = false;
  const call = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    await s.schedule(Promise.resolve(), name);
    const fate = nextFate();
    if (fate === "ends the process") hasEnded = true;
    if (hasEnded) return new Promise<never>(() => undefined);
    const lost = new KnowledgeNetError("KN_UNAVAILABLE", { attempt: name, rule: "the store must answer" });
    if (fate === "is lost") throw lost;
    const result = await work();
    if (fate === "loses its answer") throw lost;
    return result;
  };
  const wrapped = <T extends object>(port: T, bucket: string): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const member: unknown = Reflect.get(target, property, receiver);
        if (typeof member !== "function" || property === "read") return member;
        const method = (member as (...args: unknown[]) => Promise<unknown>).bind(target);
        return (...args: unknown[]) => call(`${bucket}.${String(property)}`, () => method(...args));
      },
    });
  return {
    ...store,
    kv: async (bucket, options) => wrapped(await store.kv(bucket, options), bucket),
    blobs: async (bucket) => wrapped(await store.blobs(bucket), bucket),
    log: async (name, options) => wrapped(await store.log(name, options), "log"),
  };
}

type Action =
  | { readonly kind: "publish"; readonly value: number; readonly isPinned: boolean }
  | { readonly kind: "promote" | "rollback" | "candidate" | "pin"; readonly release: number }
  | { readonly kind: "rollback-to-previous" | "end-candidate" | "collect" | "remove" }
  | { readonly kind: "retain"; readonly kept: number };

const release = fc.integer({ min: 1, max: 8 });
/** Few values: releases share parts. */
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("publish" as const), value: fc.nat(2), isPinned: fc.constant(false) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("promote" as const, "rollback", "candidate", "pin"), release }),
  },
  fc.record({ kind: fc.constantFrom("rollback-to-previous" as const, "end-candidate", "collect") }),
  fc.record({ kind: fc.constant("remove" as const) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("retain" as const), kept: fc.integer({ min: 1, max: 2 }) }) },
);

/** @returns the release that it has pinned, when it is certain of it */
async function perform(action: Action, model: Model, store: Store): Promise<number | undefined> {
  switch (action.kind) {
    case "publish":
      await model.publish(FACTS, weights(action.value), { isPinned: action.isPinned });
      return undefined;
    case "promote":
      await model.promote(action.release, BY);
      return undefined;
    case "rollback":
      await model.rollback(BY, { to: action.release });
      return undefined;
    case "rollback-to-previous":
      await model.rollback(BY);
      return undefined;
    case "candidate":
      await model.startCandidate({ release: action.release, mode: "canary", percent: 5 }, BY);
      return undefined;
    case "end-candidate":
      await model.endCandidate(BY);
      return undefined;
    case "pin":
      await model.setPinned(action.release, true);
      return action.release;
    case "retain":
      await model.retain(action.kept);
      return undefined;
    case "remove":
      await model.remove(BY, { isForced: true });
      return undefined;
    case "collect":
      await applyArtifactCollection(store, await planArtifactCollection(store, 0));
      return undefined;
  }
}

const fate = fc.constantFrom<Fate>(...Array<Fate>(24).fill("works"), "is lost", "loses its answer", "ends the process");

describe("Model, under any order of calls of several processes, of which some are lost", () => {
  it("live, previous, candidate, pinned releases load; the history is whole; what nothing names is collected", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fate, { minLength: 20, maxLength: 200 }),
        fc.array(fc.array(action, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 4 }),
        async (s, fates, lives) => {
          const clock = simulatedClock();
          const shared = await memoryStore({ clock });
          const observer = openModel(modelsInStore(shared), "digits", { clock });
          for (const value of [0, 1, 2]) await observer.publish(FACTS, weights(value));
          await observer.promote(1, BY);
          let calls = 0;
          const nextFate = (): Fate => fates[calls++ % fates.length] ?? "works";
          const pinned = new Set<number>();
          /** A forced removal deletes pinned releases too. */
          const mayBeRemoved = lives.flat().some(({ kind }) => kind === "remove");
          const failures: unknown[] = [];
          for (const actions of lives) {
            const own = processOn(shared, s, nextFate);
            const model = openModel(modelsInStore(own), "digits", { clock });
            void (async () => {
              for (const each of actions) {
                try {
                  const certain = await perform(each, model, own);
                  if (certain !== undefined && !mayBeRemoved) pinned.add(certain);
                } catch (error) {
                  // Refusals: of an unknown release, of a rollback without a previous one, of a lost call.
                  if (!isKnowledgeNetError(error, "KN_CONFIG", "KN_UNAVAILABLE", "KN_CHECKPOINT")) failures.push(error);
                }
              }
            })();
          }
          const assertSound = async (): Promise<void> => {
            const { live, previous, candidate } = await observer.live();
            for (const each of [live, previous, candidate?.release, ...pinned])
              if (each !== undefined) await loadAll(observer, each);
          };
          const idle = (): Promise<void> =>
            new Promise((resolve) => {
              setImmediate(resolve);
            });
          // Between two of its calls a process has none that waits.
          await idle();
          while (s.count() > 0) {
            await s.waitNext(1);
            await assertSound();
            await idle();
          }
          expect(calls).toBeGreaterThan(0);
          expect(failures).toEqual([]);
          const history = await observer.history();
          const { change, live } = await observer.live();
          expect(history.map((each) => each.change)).toEqual(Array.from({ length: change }, (_, index) => index + 1));
          expect(history.at(-1)?.to).toBe(live);
          for (const [index, { from }] of history.entries()) expect(from).toBe(history[index - 1]?.to);
          // When all have ended, retention and collection leave what the releases name, and nothing else.
          await observer.retain(1);
          await applyArtifactCollection(shared, await planArtifactCollection(shared, Infinity));
          await assertSound();
          const named = new Set((await observer.releases()).flatMap(({ digests }) => digests));
          const blobs = await (await shared.blobs(ARTIFACT_BLOBS)).list();
          expect(new Set(blobs.map(({ name }) => name.split(".").at(-1)))).toEqual(named);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
