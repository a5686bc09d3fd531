import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError, KnowledgeNetError } from "../../../../src/errors/index.ts";
import {
  ARTIFACT_BLOBS,
  type Checkpoints,
  createActorMemory,
  type Manifest,
  openCheckpoints,
} from "../../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { ACTORS, content, SCOPE } from "./artifact-scene.ts";

/** What happens to one call of the store. */
type Fate = "works" | "is lost" | "loses its answer" | "ends the process";

/**
 * A process with a connection of its own to the shared store: each of its calls waits for its turn among those of all
 * processes, and meets its fate. A process that was suspended is one whose turn comes late.
 */
function processOn(store: Store, s: fc.Scheduler, nextFate: () => Fate): Store {
  let hasEnded = false;
  const through =
    <Args extends unknown[], T>(work: (...args: Args) => Promise<T>, name: string) =>
    async (...args: Args): Promise<T> => {
      await s.schedule(Promise.resolve(), name);
      const fate = nextFate();
      if (fate === "ends the process") hasEnded = true;
      if (hasEnded) return new Promise<never>(() => undefined);
      const lost = new KnowledgeNetError("KN_UNAVAILABLE", { attempt: name, rule: "the store must answer" });
      if (fate === "is lost") throw lost;
      const result = await work(...args);
      if (fate === "loses its answer") throw lost;
      return result;
    };
  const wrapped = <T extends object>(port: T, bucket: string): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const member: unknown = Reflect.get(target, property, receiver);
        if (typeof member !== "function") return member;
        return through(
          (member as (...args: unknown[]) => Promise<unknown>).bind(target),
          `${bucket}.${String(property)}`,
        );
      },
    });
  return {
    ...store,
    kv: async (bucket, options) => wrapped(await store.kv(bucket, options), bucket),
    blobs: async (bucket) => wrapped(await store.blobs(bucket), bucket),
  };
}

/** One incarnation of an actor: claims it, comes back, saves what it is told to, until it is refused. */
async function actorLife(
  store: Store,
  actor: string,
  fence: number,
  generations: readonly number[],
  saved: SavedDigests,
) {
  const checkpoints = await openCheckpoints(store, SCOPE);
  const memory = createActorMemory({ actor, attempt: 1, fence, from: undefined }, { checkpoints, log: silentLogger });
  await memory.restore();
  for (const generation of generations) {
    try {
      const { digest } = await memory.save(generation, content(`${actor} ${generation}`));
      saved.set(generation, { ...saved.get(generation), [actor]: digest });
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
    }
  }
}

type SavedDigests = Map<number, Readonly<Record<string, string>>>;

/** One coordinator: commits each generation that all actors have reported, in the order of generations. */
async function coordinatorLife(
  store: Store,
  fence: number,
  generations: readonly number[],
  saved: SavedDigests,
  s: fc.Scheduler,
) {
  const checkpoints = await openCheckpoints(store, SCOPE);
  for (const generation of generations) {
    const reported = (): Readonly<Record<string, string>> => saved.get(generation) ?? {};
    for (let tick = 0; tick < 20 && Object.keys(reported()).length < ACTORS.length; tick += 1)
      await s.schedule(Promise.resolve(), "tick");
    const actors = reported();
    if (Object.keys(actors).length < ACTORS.length) continue;
    const at = { attempt: 1, generation, sequence: generation, step: generation, epoch: 0, phase: "training" };
    try {
      await checkpoints.commit({ ...at, actors }, fence);
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE", "KN_CHECKPOINT")) throw error;
    }
  }
}

/** Whether every state of a committed generation is in the store and is what the manifest names. */
async function loads(checkpoints: Checkpoints, manifest: Manifest): Promise<boolean> {
  try {
    for (const actor of ACTORS) await checkpoints.load(actor, manifest);
    return true;
  } catch {
    return false;
  }
}

const fate = fc.constantFrom<Fate>(...Array<Fate>(12).fill("works"), "is lost", "loses its answer", "ends the process");
const GENERATIONS = Array.from({ length: 12 }, (_, index) => index + 1);

describe("artifacts, under any order of saves, commits, crashes, suspended holders and cut links", () => {
  it("a committed generation within retention loads", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fate, { minLength: 40, maxLength: 400 }),
        fc.nat(3),
        async (s, fates, overlap) => {
          const shared = await memoryStore({ clock: simulatedClock() });
          let calls = 0;
          const nextFate = (): Fate => fates[calls++ % fates.length] ?? "works";
          const saved: SavedDigests = new Map();
          // Each holder begins where the one before is still at work: `overlap` generations are saved by both.
          const lives = [0, 4, 8].flatMap((first, life) => {
            const own = GENERATIONS.slice(first, first + 4 + overlap);
            return [
              ...ACTORS.map((actor) => actorLife(processOn(shared, s, nextFate), actor, life + 1, own, saved)),
              coordinatorLife(processOn(shared, s, nextFate), life + 1, own, saved, s),
              coordinatorLife(processOn(shared, s, nextFate), life + 1, own, saved, s),
            ];
          });
          const settled = lives.map((life) =>
            life.catch((error: unknown) => {
              if (!isKnowledgeNetError(error, "KN_FENCED", "KN_UNAVAILABLE")) throw error;
            }),
          );
          const failures: unknown[] = [];
          for (const life of settled) life.catch((error: unknown) => failures.push(error));
          const checkpoints = await openCheckpoints(shared, SCOPE);
          let committed = 0;
          while (s.count() > 0) {
            await s.waitNext(1);
            const manifests = await checkpoints.manifests();
            const loadable = await Promise.all(manifests.map((manifest) => loads(checkpoints, manifest)));
            // The newest, or the one before it.
            if (manifests.length > 0) expect(loadable).toContain(true);
            const newest = manifests[0]?.generation ?? 0;
            expect(newest).toBeGreaterThanOrEqual(committed);
            committed = newest;
          }
          expect(failures).toEqual([]);
          // Bounded, whatever happened.
          for (const actor of ACTORS)
            expect((await (await shared.blobs(ARTIFACT_BLOBS)).list(`${SCOPE}.${actor}.`)).length).toBeLessThanOrEqual(
              12,
            );
        },
      ),
      { numRuns: 100 },
    );
  });
});
