/** What every `ModelStore` does: the same tests in memory, in a folder of several processes, and on JetStream. */
import { describe, expect, it } from "vitest";
import { liveKey, type ModelStore, openModel } from "../../../src/models/index.ts";
import { ARTIFACT_RECORDS } from "../../../src/runtime/artifacts/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { BY, FACTS, loadAll, weights } from "../../unit/models/model-scene.ts";

export interface ModelStoreHarness extends AsyncDisposable {
  /** The same models as another process opens them. */
  open(): Promise<ModelStore>;
}

/** A change is seen within a quarter of a second; here a busy machine has ten. */
const SEEN_MS = 10_000;

/** @param describeAdapter `describe`, or one that skips where the adapter cannot run */
export function describeModelStoreContract(
  name: string,
  factory: () => Promise<ModelStoreHarness>,
  describeAdapter: typeof describe | typeof describe.skip = describe,
): void {
  const clock = systemClock();
  const digits = (models: ModelStore) => openModel(models, "digits", { clock });

  describeAdapter(name, () => {
    it("use lends a store; what one process has published another one loads", async () => {
      await using harness = await factory();
      await using here = await harness.open();
      await using there = await harness.open();
      expect(here.description).toBe(there.description);
      const { release } = await digits(here).publish(FACTS, weights(1));
      expect(await loadAll(digits(there), release)).toEqual(weights(1));
      await expect(here.use(() => Promise.reject(new RangeError("own")))).rejects.toThrow(RangeError);
      expect(await here.use((store) => Promise.resolve(store.description))).toBe(here.description);
    });

    it("read lends it for reading: what was changed before is there", async () => {
      await using harness = await factory();
      await using here = await harness.open();
      const { release } = await digits(here).publish(FACTS, weights(1));
      await digits(here).promote(release, BY);
      const live = await here.read(async (store) => (await store.kv(ARTIFACT_RECORDS)).get(liveKey("digits")));
      expect(new TextDecoder().decode(live?.value)).toContain(`"live":${release}`);
      await expect(here.read(() => Promise.reject(new RangeError("own")))).rejects.toThrow(RangeError);
      await here[Symbol.asyncDispose]();
      await expect(here.read(() => Promise.resolve())).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    });

    it("many processes publish and promote at once: every release loads, every change is in the history", async () => {
      await using harness = await factory();
      const all = await Promise.all([1, 2, 3, 4].map(() => harness.open()));
      await Promise.all(
        all.map(async (models, index) => {
          const { release } = await digits(models).publish(FACTS, weights(index));
          await digits(models).promote(release, BY);
        }),
      );
      await using models = await harness.open();
      const model = digits(models);
      expect((await model.releases()).map(({ release }) => release)).toEqual([4, 3, 2, 1]);
      expect((await model.history()).map(({ change }) => change)).toEqual([1, 2, 3, 4]);
      for (const { release } of await model.releases()) await loadAll(model, release);
      for (const each of all) await each[Symbol.asyncDispose]();
    });

    it("changes gives an item at once, and one after a change by another process", { timeout: 30_000 }, async () => {
      await using harness = await factory();
      await using here = await harness.open();
      await using there = await harness.open();
      const ticks = here.changes("digits", AbortSignal.timeout(SEEN_MS))[Symbol.asyncIterator]();
      expect((await ticks.next()).done).toBe(false);
      const { release } = await digits(there).publish(FACTS, weights(1));
      await digits(there).promote(release, BY);
      expect((await ticks.next()).done).toBe(false);
      await ticks.return?.();
    });

    it("changes of a model ends with its signal, and with the store", async () => {
      await using harness = await factory();
      const models = await harness.open();
      const stop = new AbortController();
      const [aborted, closed] = [models.changes("digits", stop.signal), models.changes("digits")].map((each) =>
        each[Symbol.asyncIterator](),
      );
      for (const each of [aborted, closed]) expect((await each?.next())?.done).toBe(false);
      const ends = [aborted, closed].map((each) => each?.next());
      stop.abort();
      expect((await ends[0])?.done).toBe(true);
      await models[Symbol.asyncDispose]();
      expect((await ends[1])?.done).toBe(true);
      await expect(models.use(() => Promise.resolve())).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    });

    it("Model.changes gives each live release in order, and the last one for certain", {
      timeout: 30_000,
    }, async () => {
      await using harness = await factory();
      await using here = await harness.open();
      await using there = await harness.open();
      const stop = AbortSignal.timeout(SEEN_MS);
      const seen: number[] = [];
      const reading = (async () => {
        for await (const { live = 0 } of digits(here).changes(stop)) {
          seen.push(live);
          if (live === 5) return;
        }
      })();
      for (let value = 1; value <= 5; value += 1) {
        const { release } = await digits(there).publish(FACTS, weights(value));
        await digits(there).promote(release, BY);
      }
      await reading;
      expect(seen).toEqual([...seen].sort());
      expect(seen.at(-1)).toBe(5);
    });
  });
}
