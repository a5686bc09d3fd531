import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AutoObservation,
  type AutoPolicy,
  type AutoSwitch,
  createAutoPolicy,
} from "../../../../../src/compute/index.ts";

const spec = { enterCosine: 0.3, leaveCosine: 0.15, dwellSteps: 100 };

/** Observes `cosine` at each of the steps; M has been updated once a step. */
function feed(policy: AutoPolicy, from: number, to: number, cosine: (step: number) => number): [number, AutoSwitch][] {
  const switches: [number, AutoSwitch][] = [];
  for (let step = from; step <= to; step += 1) {
    const change = policy.observe({ step, cosine: cosine(step), updates: step });
    if (change !== undefined) switches.push([step, change]);
  }
  return switches;
}

describe("createAutoPolicy", () => {
  it("starts with the head at a boundary with height and width, with M at a flat one", () => {
    expect(createAutoPolicy({ spec, isSpatial: true }).current).toBe("auxiliary");
    expect(createAutoPolicy({ spec, isSpatial: false }).current).toBe("synthetic");
  });

  it("hands over to M once its mean cosine is above enterCosine, and says why with the numbers", () => {
    const policy = createAutoPolicy({ spec, isSpatial: true });
    const switches = feed(policy, 1, 300, () => 0.4);
    expect(switches).toEqual([
      [
        101,
        {
          from: "auxiliary",
          to: "synthetic",
          reason:
            "the gradient model's mean cosine to the returned gradient is 0.400, above 0.3, at step 101 after 101 updates",
        },
      ],
    ]);
    expect(policy.current).toBe("synthetic");
  });

  it("hands back to the head once the mean is below leaveCosine", () => {
    const policy = createAutoPolicy({ spec, isSpatial: false });
    const switches = feed(policy, 1, 300, () => 0.1);
    expect(switches).toMatchObject([[101, { from: "synthetic", to: "auxiliary" }]]);
    expect(switches[0]?.[1].reason).toContain("0.100, below 0.15");
  });

  it.each([true, false])("between the two bounds stays as it is (spatial: %s)", (isSpatial) => {
    const policy = createAutoPolicy({ spec, isSpatial });
    const { current } = policy;
    expect(feed(policy, 1, 1000, () => 0.22)).toEqual([]);
    expect(feed(policy, 1001, 2000, (step) => (step % 2 === 0 ? 0.16 : 0.29))).toEqual([]);
    expect(policy.current).toBe(current);
  });

  it("the bounds themselves switch nothing", () => {
    const exact = { ...spec, enterCosine: 0, leaveCosine: -0.5 }; // 0 is its own mean without rounding
    expect(feed(createAutoPolicy({ spec: exact, isSpatial: true }), 1, 500, () => 0)).toEqual([]);
    const leaving = { ...spec, enterCosine: 0.5, leaveCosine: 0 };
    expect(feed(createAutoPolicy({ spec: leaving, isSpatial: false }), 1, 500, () => 0)).toEqual([]);
  });

  it("a few bad batches do not switch; a lasting fall does, within some fifty observations", () => {
    const policy = createAutoPolicy({ spec, isSpatial: false });
    expect(feed(policy, 1, 200, () => 0.5)).toEqual([]);
    expect(feed(policy, 201, 210, () => -0.5)).toEqual([]);
    expect(feed(policy, 211, 400, () => 0.5)).toEqual([]);
    const [fall] = feed(policy, 401, 600, () => 0);
    // 0.5 * (1 - 1/50)^n < 0.15
    const n = Math.ceil(Math.log(0.15 / 0.5) / Math.log(0.98));
    expect(fall?.[0]).toBeGreaterThanOrEqual(400 + n - 2);
    expect(fall?.[0]).toBeLessThanOrEqual(400 + n + 2);
  });

  it("the mean is bias-corrected: it judges by the cosines alone, not by how few they are", () => {
    const hasty = { ...spec, dwellSteps: 1 };
    const policy = createAutoPolicy({ spec: hasty, isSpatial: true });
    // Two observations of 0.31: without correction their mean would be 0.012.
    expect(feed(policy, 1, 2, () => 0.31)).toMatchObject([[2, { to: "synthetic" }]]);
  });

  it("is the exponential mean over 50, by a sum written out", () => {
    const cosines = [0.1, 0.9, -0.4, 0.7, 0.35];
    const weights = cosines.map((_, index) => 0.98 ** (cosines.length - 1 - index));
    const mean =
      cosines.reduce((sum, cosine, index) => sum + cosine * (weights[index] as number), 0) /
      weights.reduce((sum, weight) => sum + weight, 0);
    const judge = (enterCosine: number): boolean => {
      const policy = createAutoPolicy({ spec: { enterCosine, leaveCosine: -1, dwellSteps: 4 }, isSpatial: true });
      return feed(policy, 1, 5, (step) => cosines[step - 1] as number).length === 1;
    };
    expect(judge(mean - 1e-9)).toBe(true);
    expect(judge(mean + 1e-9)).toBe(false);
  });

  it("does not judge M before it has had dwellSteps updates, however many steps have passed", () => {
    const policy = createAutoPolicy({ spec, isSpatial: true });
    const observe = (step: number, updates: number): AutoSwitch | undefined =>
      policy.observe({ step, cosine: 0.8, updates });
    for (let step = 1; step < 400; step += 1) expect(observe(step, Math.floor(step / 4))).toBeUndefined();
    expect(observe(400, 100)).toMatchObject({ to: "synthetic" });
  });

  it("waits dwellSteps after the first observation, also where M is old already: a resumed run", () => {
    const policy = createAutoPolicy({ spec, isSpatial: true });
    const steps = Array.from({ length: 150 }, (_, index) => 5000 + index);
    const at = steps.find((step) => policy.observe({ step, cosine: 0.8, updates: step }) !== undefined);
    expect(at).toBe(5100);
  });

  it("a step that goes back, after a restart, counts the dwell anew from there", () => {
    const policy = createAutoPolicy({ spec, isSpatial: true });
    feed(policy, 1000, 1050, () => 0.8);
    const at = [];
    for (let step = 200; step <= 400; step += 1) {
      if (policy.observe({ step, cosine: 0.8, updates: 1050 + step }) !== undefined) at.push(step);
    }
    expect(at).toEqual([300]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("ignores a cosine of %s", (cosine) => {
    const policy = createAutoPolicy({ spec, isSpatial: true });
    const other = createAutoPolicy({ spec, isSpatial: true });
    for (let step = 1; step <= 300; step += 1) {
      expect(policy.observe({ step, cosine, updates: step })).toBeUndefined();
      const observation = { step, cosine: 0.31, updates: step };
      expect(policy.observe(observation)).toEqual(other.observe(observation));
    }
    expect(policy.current).toBe("synthetic");
  });

  it("whatever it observes: switches alternate, lie dwellSteps apart, and name who is in charge", () => {
    const observations = fc.array(
      fc.record({ gap: fc.integer({ min: 1, max: 9 }), cosine: fc.double({ min: -1, max: 1, noNaN: true }) }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(observations, fc.boolean(), (drawn, isSpatial) => {
        const dwellSteps = 12;
        const policy = createAutoPolicy({ spec: { enterCosine: 0.05, leaveCosine: -0.05, dwellSteps }, isSpatial });
        let step = 0;
        let last = Number.NEGATIVE_INFINITY;
        for (const { gap, cosine } of drawn) {
          step += gap;
          const before = policy.current;
          const observation: AutoObservation = { step, cosine, updates: step };
          const change = policy.observe(observation);
          if (change === undefined) {
            expect(policy.current).toBe(before);
            continue;
          }
          expect(change.from).toBe(before);
          expect(change.to).toBe(policy.current);
          expect(change.to).not.toBe(change.from);
          expect(step - last).toBeGreaterThanOrEqual(dwellSteps);
          last = step;
        }
      }),
      { numRuns: 50 },
    );
  });
});
