import { describe, expect, it } from "vitest";
import { createPrioritySample, type Weighted } from "../../../../src/continuous/observation/priority-sample.ts";
import { randomFrom } from "../../../support/random.ts";

interface Unit {
  readonly value: number;
}
const random = randomFrom(11);
/** Heavy items have the greatest values and the most bytes: whatever is biased shows. */
const POPULATION: readonly Weighted<Unit>[] = Array.from({ length: 60 }, () => {
  const weight = 0.05 + random() ** 3;
  return { item: { value: weight > 0.4 ? 1 : random() * 0.2 }, weight, bytes: 1 + Math.floor(weight * 8) };
});
const TOTAL = POPULATION.reduce((sum, { item }) => sum + item.value, 0);
const RUNS = 8_000;

describe("createPrioritySample", () => {
  it.each([
    ["items", { inputs: 8, bytes: 1_000 }],
    ["bytes", { inputs: 1_000, bytes: 25 }],
    ["both", { inputs: 8, bytes: 25 }],
  ])("estimates the total without bias under a limit of %s", (_, limits) => {
    const estimates: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const sample = createPrioritySample<Unit>(limits);
      for (const weighted of POPULATION) sample.offer(weighted, random());
      estimates.push(sample.taken.reduce((sum, { item, inclusion }) => sum + item.value / inclusion, 0));
    }
    const mean = estimates.reduce((sum, estimate) => sum + estimate, 0) / RUNS;
    const variance = estimates.reduce((sum, estimate) => sum + (estimate - mean) ** 2, 0) / (RUNS - 1);
    expect(Math.abs(mean - TOTAL)).toBeLessThan(3.5 * Math.sqrt(variance / RUNS));
  });

  it("takes the longest run of highest priorities that fits, in any order of arrival", () => {
    for (let round = 0; round < 300; round += 1) {
      const limits = { inputs: 1 + Math.floor(random() * 12), bytes: 9 + Math.floor(random() * 40) };
      const offers = POPULATION.map((weighted) => ({ weighted, uniform: random() }));
      const byPriority = offers
        .map(({ weighted, uniform }) => ({ weighted, priority: weighted.weight / (1 - uniform) }))
        .sort((one, other) => other.priority - one.priority);
      let bytes = 0;
      const end = byPriority.findIndex(({ weighted }, index) => {
        bytes += weighted.bytes;
        return index >= limits.inputs || bytes > limits.bytes;
      });
      const threshold = byPriority[end]?.priority ?? NaN;
      const sample = createPrioritySample<Unit>(limits);
      const out = offers.flatMap(({ weighted, uniform }) => sample.offer(weighted, uniform));
      const expected = byPriority.slice(0, end).map(({ weighted }) => weighted.item);
      expect(new Set(sample.taken.map(({ item }) => item))).toEqual(new Set(expected));
      expect(out.length + expected.length).toBe(POPULATION.length);
      for (const { item, inclusion } of sample.taken) {
        const weight = POPULATION.find((weighted) => weighted.item === item)?.weight ?? NaN;
        expect(inclusion).toBe(Math.min(1, weight / threshold));
      }
    }
  });

  it("takes all that fits with certainty, and nothing without room", () => {
    const roomy = createPrioritySample<Unit>({ inputs: 100, bytes: 1_000 });
    for (const weighted of POPULATION) expect(roomy.offer(weighted, random())).toEqual([]);
    expect(roomy.taken.length).toBe(POPULATION.length);
    expect(roomy.taken.every(({ inclusion }) => inclusion === 1)).toBe(true);
    const none = createPrioritySample<Unit>({ inputs: 0, bytes: 1_000 });
    const item = { value: 1 };
    expect(none.offer({ item, weight: 1, bytes: 1 }, 0.5)).toEqual([item]);
  });
});
