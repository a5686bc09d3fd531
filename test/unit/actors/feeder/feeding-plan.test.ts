import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFeedingPlan, type FeedingPlan } from "../../../../src/actors/feeder/index.ts";

type Item = ReturnType<FeedingPlan["itemAt"]>;

const anyOptions = fc.record({
  trainingSamples: fc.integer({ min: 8, max: 90 }),
  testSamples: fc.integer({ min: 1, max: 40 }),
  batchSize: fc.integer({ min: 1, max: 8 }),
  epochs: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer({ min: 0, max: 1000 }),
  evaluateEverySteps: fc.integer({ min: 1, max: 12 }),
  evaluationSamples: fc.integer({ min: 1, max: 60 }),
  evaluationBatchSize: fc.integer({ min: 1, max: 16 }),
});

function itemsOf(plan: FeedingPlan): Item[] {
  return Array.from({ length: plan.lastSequence }, (_, index) => {
    const item = plan.itemAt(index + 1);
    return { ...item, indices: Array.from(item.indices) };
  });
}

describe("createFeedingPlan", () => {
  it("visits each training sample once an epoch at most, in whole batches, with consecutive steps", () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const plan = createFeedingPlan(options);
        const training = itemsOf(plan).filter(({ phase }) => phase === "train");
        expect(training.map(({ step }) => step)).toEqual(
          Array.from({ length: plan.totalSteps }, (_, index) => index + 1),
        );
        for (let epoch = 0; epoch < options.epochs; epoch += 1) {
          const seen = training.filter((item) => item.epoch === epoch).flatMap(({ indices }) => Array.from(indices));
          expect(seen).toHaveLength(plan.stepsPerEpoch * options.batchSize);
          expect(new Set(seen).size).toBe(seen.length);
          expect(Math.max(...seen)).toBeLessThan(options.trainingSamples);
        }
      }),
    );
  });

  it("evaluates exactly the samples that it says, the whole test set at the end of each epoch", () => {
    fc.assert(
      fc.property(anyOptions, (options) => {
        const plan = createFeedingPlan(options);
        const evaluations = new Map<number, number[]>();
        for (const item of itemsOf(plan)) {
          if (item.phase === "train") continue;
          evaluations.set(item.evaluation, [...(evaluations.get(item.evaluation) ?? []), ...Array.from(item.indices)]);
        }
        expect([...evaluations.keys()]).toEqual(Array.from({ length: evaluations.size }, (_, index) => index + 1));
        for (const [evaluation, indices] of evaluations) {
          expect(indices).toEqual(Array.from({ length: plan.samplesOfEvaluation(evaluation) }, (_, index) => index));
        }
        for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
          const last = plan.itemAt((epoch * plan.lastSequence) / options.epochs);
          expect(last.phase).toBe("evaluate");
          expect(plan.samplesOfEvaluation(last.evaluation)).toBe(options.testSamples);
        }
      }),
    );
  });

  it("gives the same item for a sequence whatever was asked before: a position is all that a resumed run needs", () => {
    fc.assert(
      fc.property(anyOptions, fc.array(fc.nat(), { maxLength: 20 }), (options, jumps) => {
        const inOrder = itemsOf(createFeedingPlan(options));
        const plan = createFeedingPlan(options);
        for (const jump of jumps) {
          const sequence = (jump % plan.lastSequence) + 1;
          const item = plan.itemAt(sequence);
          expect({ ...item, indices: Array.from(item.indices) }).toEqual(inOrder[sequence - 1]);
        }
      }),
    );
  });

  it("refuses a batch larger than the training set, and a sequence outside the schedule", () => {
    const options = {
      trainingSamples: 10,
      testSamples: 4,
      epochs: 1,
      seed: 1,
      evaluationSamples: 4,
      evaluationBatchSize: 4,
    };
    expect(() => createFeedingPlan({ ...options, batchSize: 11 })).toThrow(
      expect.objectContaining({ code: "KN_CONFIG" }),
    );
    const plan = createFeedingPlan({ ...options, batchSize: 5 });
    expect(() => plan.itemAt(0)).toThrow(RangeError);
    expect(() => plan.itemAt(plan.lastSequence + 1)).toThrow(RangeError);
  });
});
