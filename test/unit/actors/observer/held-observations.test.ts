import { describe, expect, it } from "vitest";
import { createHeldObservations } from "../../../../src/actors/observer/held-observations.ts";
import type { ObservedInput } from "../../../../src/messages/index.ts";
import { observedInput } from "../../messages/observation/observation-samples.ts";

const BYTES = observedInput.input.values.byteLength;
const group = (...numbers: number[]): ObservedInput[] => numbers.map((number) => ({ ...observedInput, number }));
const numbersOf = (observations: readonly ObservedInput[] | undefined) => observations?.map(({ number }) => number);

describe("createHeldObservations", () => {
  it("gives them back by slot, the oldest first", () => {
    const held = createHeldObservations({ maxInputs: 10, maxBytes: 1_000 });
    held.add(group(0, 1));
    held.add(group(2));
    const first = held.begin(0) ?? [];
    expect([numbersOf(first), held.inputs, held.bytes, held.slots]).toEqual([[0, 1], 3, 3 * BYTES, 2]);
    for (const each of first) held.remove(each);
    expect([numbersOf(held.begin(0)), held.slots]).toEqual([[2], 1]);
  });

  it.each([
    ["inputs", { maxInputs: 3, maxBytes: 1_000 }],
    ["bytes", { maxInputs: 100, maxBytes: 3 * BYTES + 1 }],
  ])("pushes out the oldest beyond its bound of %s, but not those under way", (_what, bound) => {
    const held = createHeldObservations(bound);
    held.add(group(0, 1));
    held.begin(0);
    held.add(group(2, 3));
    held.add(group(4));
    expect([numbersOf(held.begin(0)), held.inputs, held.counts.overflowed]).toEqual([[0, 1], 3, 2]);
  });

  it("forgets what has expired", () => {
    const held = createHeldObservations({ maxInputs: 10, maxBytes: 1_000 });
    held.add(group(0, 1));
    expect(held.begin(observedInput.expiresAtMs)).toBeUndefined();
    expect(held.counts.expiredHeld).toBe(2);
  });
});
