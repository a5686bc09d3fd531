import { describe, expect, it } from "vitest";
import {
  ARTIFACT_BLOBS,
  ARTIFACT_RECORDS,
  createActorMemory,
  openCheckpoints,
} from "../../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { content, SCOPE } from "./artifact-scene.ts";

/** Counts the calls of everything opened from the store. */
function counting(store: Store): { readonly store: Store; readonly calls: Map<string, number> } {
  const calls = new Map<string, number>();
  const wrapped = <T extends object>(port: T, bucket: string): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const member: unknown = Reflect.get(target, property, receiver);
        if (typeof member !== "function") return member;
        const name = `${bucket}.${String(property)}`;
        return (...args: unknown[]): unknown => {
          calls.set(name, (calls.get(name) ?? 0) + 1);
          return (member as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  return {
    calls,
    store: {
      ...store,
      kv: async (bucket, options) => wrapped(await store.kv(bucket, options), bucket),
      blobs: async (bucket) => wrapped(await store.blobs(bucket), bucket),
    },
  };
}

describe("a run of 1,000 generations", () => {
  it("asks the store as often, and keeps as many keys and blobs, at generation 1,000 as at generation 10", async () => {
    const { store, calls } = counting(await memoryStore({ clock: simulatedClock() }));
    const checkpoints = await openCheckpoints(store, SCOPE);
    const ids = ["block-0", "gradient-0", "block-1", "gradient-1", "block-2", "gradient-2", "block-3"];
    const memories = ids.map((actor) => ({
      actor,
      memory: createActorMemory({ actor, attempt: 1, fence: 1, from: undefined }, { checkpoints, log: silentLogger }),
    }));
    for (const { memory } of memories) await memory.restore();
    const at: Record<number, unknown> = {};
    for (let generation = 1; generation <= 1000; generation += 1) {
      calls.clear();
      const actors: Record<string, string> = {};
      for (const { actor, memory } of memories)
        actors[actor] = (await memory.save(generation, content(String(generation)))).digest;
      const step = generation * 200;
      await checkpoints.commit(
        { attempt: 1, generation, sequence: step, step, epoch: 0, phase: "training", actors },
        1,
      );
      if (generation !== 10 && generation !== 1000) continue;
      at[generation] = {
        calls: Object.fromEntries(calls),
        keys: (await (await store.kv(ARTIFACT_RECORDS)).keys()).length,
        blobs: (await (await store.blobs(ARTIFACT_BLOBS)).list()).length,
      };
    }
    expect(at[1000]).toEqual(at[10]);
    expect(at[10]).toEqual({
      calls: {
        "kn-artifacts.put": 7,
        "kn-artifacts.delete": 7,
        "kn-artifacts.info": 7,
        "kn-manifests.get": 7 * 2 + 1,
        "kn-manifests.update": 1,
      },
      keys: 8,
      blobs: 7 * 3,
    });
  });
});
