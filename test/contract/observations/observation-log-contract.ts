/** The log of observations: the same tests in every store. */
import { describe, expect, it } from "vitest";
import { type ObservationEntry, openObservationLog } from "../../../src/models/observations/index.ts";
import type { ObservedInput } from "../../../src/messages/index.ts";
import { MAX_VALUE_BYTES, type Store } from "../../../src/runtime/store/index.ts";
import { observedInput } from "../../unit/messages/observation/observation-samples.ts";

export interface ObservationStore extends AsyncDisposable {
  readonly store: Store;
}

const numbered = (number: number): ObservedInput => ({ ...observedInput, number });

async function entriesOf(entries: AsyncIterable<ObservationEntry>): Promise<ObservationEntry[]> {
  const found: ObservationEntry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

/** @param describeAdapter `describe`, or one that skips where the adapter cannot run */
export function describeObservationLog(
  name: string,
  factory: () => Promise<ObservationStore>,
  describeAdapter: typeof describe | typeof describe.skip = describe,
): void {
  describeAdapter(`openObservationLog in ${name}`, () => {
    it("gives back what was appended, from a position on, also to another reader", async () => {
      await using harness = await factory();
      const log = await openObservationLog(harness.store, "digits", { maxEntries: 100 });
      const positions: number[] = [];
      for (const number of [0, 1, 2]) positions.push(await log.append(numbered(number)));
      const reader = await openObservationLog(harness.store, "digits");
      expect(await entriesOf(reader.read())).toEqual(
        positions.map((position, number) => ({ position, observation: numbered(number) })),
      );
      const later = await entriesOf(reader.read({ from: (positions[1] ?? 0) + 1 }));
      expect(later.map(({ observation }) => observation?.number)).toEqual([2]);
    });

    it("keeps models apart", async () => {
      await using harness = await factory();
      const log = await openObservationLog(harness.store, "digits");
      await log.append(observedInput);
      expect(await entriesOf((await openObservationLog(harness.store, "letters")).read())).toEqual([]);
    });

    it("has no observation where an entry is none, or one of another model", async () => {
      await using harness = await factory();
      const log = await openObservationLog(harness.store, "digits");
      await (await harness.store.log("observe.digits")).append(new TextEncoder().encode("none"));
      await log.append({ ...observedInput, model: "letters" });
      await log.append(observedInput);
      const found = await entriesOf(log.read());
      expect(found.map(({ observation }) => observation?.model)).toEqual([undefined, undefined, "digits"]);
    });

    it("deletes what has expired, up to the first that has not, and all at last; positions go on", async () => {
      await using harness = await factory();
      const log = await openObservationLog(harness.store, "digits", { maxEntries: 100 });
      const until = [1, 3, 2, 5];
      const positions: number[] = [];
      for (const [number, afterMs] of until.entries())
        positions.push(await log.append({ ...numbered(number), expiresAtMs: observedInput.atMs + afterMs }));
      const numbersAt = async (afterMs: number): Promise<(number | undefined)[]> => {
        await log.removeExpired(observedInput.atMs + afterMs);
        return (await entriesOf(log.read())).map(({ observation }) => observation?.number);
      };
      expect(await numbersAt(0)).toEqual([0, 1, 2, 3]);
      expect(await numbersAt(2)).toEqual([1, 2, 3]);
      expect(await numbersAt(3)).toEqual([3]);
      for (const afterMs of [5, 6]) expect(await numbersAt(afterMs)).toEqual([]);
      const entries = [];
      for await (const { data } of (await harness.store.log("observe.digits")).read()) entries.push(data.length);
      expect(entries).toEqual([0]);
      expect(await log.append(numbered(4))).toBeGreaterThan(positions[3] ?? 0);
      expect((await entriesOf(log.read())).map(({ observation }) => observation?.number)).toEqual([4]);
    });

    it("keeps the newest, at most twice as many as it must", async () => {
      await using harness = await factory();
      const log = await openObservationLog(harness.store, "digits", { maxEntries: 4 });
      for (let number = 0; number < 20; number += 1) await log.append(numbered(number));
      const numbers = (await entriesOf(log.read())).map(({ observation }) => observation?.number);
      expect(numbers.length).toBeLessThanOrEqual(8);
      expect(numbers.slice(-4)).toEqual([16, 17, 18, 19]);
    });

    it("refuses an input above the size of an entry with KN_OVERLOADED, and a name that is none", async () => {
      await using harness = await factory();
      const log = await openObservationLog(harness.store, "digits");
      const values = new Uint8Array(MAX_VALUE_BYTES);
      const input = { dtype: "u8", shape: [values.length], values } as const;
      await expect(log.append({ ...observedInput, input })).rejects.toMatchObject({ code: "KN_OVERLOADED" });
      await expect(openObservationLog(harness.store, "a b")).rejects.toMatchObject({ code: "KN_CONFIG" });
    });
  });
}
