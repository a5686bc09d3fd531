import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createComparisonCounts } from "../../../../src/actors/observer/comparison-counts.ts";

describe("createComparisonCounts", () => {
  it("counts each candidate's inputs and disagreements by itself, in any order of them", () => {
    const inputs = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.boolean()), { maxLength: 200 });
    fc.assert(
      fc.property(inputs, (all) => {
        const counts = createComparisonCounts();
        for (const [index, [candidate, disagrees]] of all.entries()) {
          const own = all.slice(0, index + 1).filter(([each]) => each === candidate);
          expect(counts.count(candidate, disagrees)).toEqual({
            ...{ candidate, disagrees, compared: own.length },
            disagreements: own.filter(([, isDifferent]) => isDifferent).length,
          });
        }
      }),
    );
  });

  it("forgets the candidate that was compared least recently beyond 64", () => {
    const counts = createComparisonCounts();
    for (let candidate = 1; candidate <= 64; candidate += 1) counts.count(candidate, true);
    expect(counts.count(1, false)).toMatchObject({ compared: 2, disagreements: 1 });
    counts.count(65, false);
    expect(counts.count(1, true)).toMatchObject({ compared: 3, disagreements: 2 });
    expect(counts.count(2, true)).toMatchObject({ compared: 1, disagreements: 1 });
  });
});
