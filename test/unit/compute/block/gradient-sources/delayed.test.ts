import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { createBlockUnit } from "../../../../../src/compute/block/block-unit.ts";
import { relativeDifference } from "../../reference.ts";
import {
  blockOptions,
  combination,
  DESCENT,
  moveDifference,
  referenceGradients,
  returned,
  sample,
  labels,
  train,
} from "./block-scene.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

describe("delayedSource", () => {
  it("publishes and goes on without a gradient", () => {
    const unit = createBlockUnit(blockOptions({ source: "delayed" }));
    for (const step of [1, 2, 3]) {
      expect(train(unit, step)).toEqual({ isApplied: false, version: 0, retained: step, pending: step, forgotten: 0 });
    }
    unit.dispose();
  });

  it("at age 0 equals a locked block", () => {
    const [delayed, locked] = (["delayed", "locked"] as const).map((source) => {
      const unit = createBlockUnit(blockOptions({ source }));
      for (const step of [1, 2, 3]) {
        train(unit, step);
        const outcome = unit.receive(step, returned(step), "true");
        expect(outcome).toMatchObject({ isApplied: true, version: step, age: 0, origin: "true", retained: 0 });
      }
      const { tensors } = unit.snapshot();
      unit.dispose();
      return tensors;
    });
    expect(delayed).toEqual(locked);
  });

  it("applies a late gradient as it is at the weights of its forward, by tf.grads, at a rate that shrinks with age", () => {
    const delayed = { ageExponent: 0.7 };
    const unit = createBlockUnit(
      blockOptions({ ...DESCENT, source: "delayed", sources: { ...blockOptions().sources, delayed } }),
    );
    const forward = unit.snapshot().tensors;
    for (const step of [1, 2, 3]) train(unit, step);
    [1, 2, 3].forEach((step, age) => {
      const before = unit.snapshot().tensors;
      const expected = referenceGradients(forward, step, returned(step));
      const outcome = unit.receive(step, returned(step), "bootstrapped");
      expect(outcome).toMatchObject({ isApplied: true, age, version: step, origin: "bootstrapped" });
      const moved = moveDifference(before, unit.snapshot().tensors, combination([(1 + age) ** -0.7, expected]));
      expect(moved).toBeLessThan(1e-4);
      expect(relativeDifference(outcome.inputGradient?.values ?? [], expected.input)).toBeLessThan(1e-5);
    });
    unit.dispose();
  });

  it("a gradient that was applied, given up or never due changes nothing and counts nothing", () => {
    const retain = { batches: 1, bytes: 2 ** 30 };
    const unit = createBlockUnit(blockOptions({ source: "delayed", retain }));
    for (const step of [1, 2]) train(unit, step);
    unit.receive(2, returned(2), "true");
    const before = unit.snapshot();
    for (const step of [1, 2, 77]) {
      const outcome = unit.receive(step, returned(step), "true");
      expect(outcome).toEqual({ isApplied: false, version: 1, retained: 0, pending: 0, forgotten: 1 });
    }
    expect(unit.snapshot()).toEqual(before);
    unit.dispose();
  });

  it("evaluates as a locked block does", () => {
    const [delayed, locked] = (["delayed", "locked"] as const).map((source) =>
      createBlockUnit(blockOptions({ source })),
    );
    expect(delayed?.evaluate(sample(1), labels)).toEqual(locked?.evaluate(sample(1), labels));
    delayed?.dispose();
    locked?.dispose();
  });
});
