import { describe, expect, it } from "vitest";
import { cacheLabels, type ComputingOracle } from "../../../../src/actors/learner/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore, type Store } from "../../../../src/runtime/store/index.ts";

const clock = simulatedClock();
const input = (value: number): Uint8Array => Uint8Array.of(value, 1);

/** Logits are twice and three times the first value; `version` may change while it computes. */
function doubling(): ComputingOracle & { current: string; changeTo?: string; readonly asked: number[] } {
  return {
    current: "teacher-1",
    asked: [],
    version() {
      return Promise.resolve(this.current);
    },
    compute(inputs, version) {
      if (this.changeTo !== undefined) {
        this.current = this.changeTo;
        delete this.changeTo;
      }
      if (version !== this.current) return Promise.resolve(undefined);
      const values = inputs.map(([first = 0]) => first);
      this.asked.push(...values);
      return Promise.resolve(Float32Array.from(values.flatMap((value) => [2 * value, 3 * value])));
    },
  };
}

describe("cacheLabels", () => {
  it("computes equal inputs once, for whoever asks", async () => {
    const store = await memoryStore({ clock });
    const oracle = doubling();
    const one = await cacheLabels(oracle, store);
    expect(await one.label([input(1), input(2), input(1)])).toEqual({
      version: "teacher-1",
      logits: Float32Array.of(2, 3, 4, 6, 2, 3),
    });
    const other = await cacheLabels(oracle, store);
    expect((await other.label([input(2), input(5)])).logits).toEqual(Float32Array.of(4, 6, 10, 15));
    expect(oracle.asked).toEqual([1, 2, 5]);
    expect([one.counts, other.counts]).toEqual([
      { computed: 2, cached: 1 },
      { computed: 1, cached: 1 },
    ]);
  });

  it("gives labels of one version, also when it changes meanwhile", async () => {
    const oracle = doubling();
    const labels = await cacheLabels(oracle, await memoryStore({ clock }));
    await labels.label([input(1)]);
    oracle.changeTo = "teacher-2";
    expect((await labels.label([input(1), input(2)])).version).toBe("teacher-2");
    expect(oracle.asked).toEqual([1, 1, 2]);
  });

  it("reads labels of a store that gives them in Buffers", async () => {
    const [oracle, store] = [doubling(), await memoryStore({ clock })];
    await (await cacheLabels(oracle, store)).label([input(1), input(2)]);
    const labels = await store.kv("kn-labels", { ttlMs: 30 * 24 * 3_600_000 });
    const inBuffers: Store = {
      ...store,
      kv: () =>
        Promise.resolve({
          ...labels,
          async get(key: string) {
            const entry = await labels.get(key);
            return entry === undefined ? undefined : { ...entry, value: Buffer.from(entry.value) };
          },
        }),
    };
    const { logits } = await (await cacheLabels(oracle, inBuffers)).label([input(2), input(1)]);
    expect(logits).toEqual(Float32Array.of(4, 6, 2, 3));
  });

  it("asks for nothing where all is known, and nothing is wanted", async () => {
    const oracle = doubling();
    const labels = await cacheLabels(oracle, await memoryStore({ clock }));
    expect((await labels.label([])).logits).toHaveLength(0);
    await labels.label([input(3)]);
    await labels.label([input(3)]);
    expect(oracle.asked).toEqual([3]);
  });
});
