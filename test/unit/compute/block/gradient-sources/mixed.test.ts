import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { trueShareAt } from "../../../../../src/compute/block/gradient-sources/mixed.ts";
import { type BlockUnit, createBlockUnit } from "../../../../../src/compute/block/block-unit.ts";
import type { MixedSpec } from "../../../../../src/run-spec/index.ts";
import { normalData, relativeDifference } from "../../reference.ts";
import {
  BATCH,
  blockOptions,
  combination,
  DESCENT,
  fakeGradientModel,
  moveDifference,
  predicted,
  type ReferenceGradients,
  referenceGradients,
  returned,
  train,
} from "./block-scene.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

const SHARE = 0.3;

/** Gradient descent at rate 1. */
function mixedUnit({ isElsewhere = false, trueShare = SHARE as MixedSpec["trueShare"] } = {}): BlockUnit {
  const sources = { ...blockOptions().sources, mixed: { trueShare } };
  const options = blockOptions({
    ...DESCENT,
    source: "mixed",
    sources,
    totalSteps: 10,
    isGradientModelElsewhere: isElsewhere,
  });
  return createBlockUnit(options, isElsewhere ? undefined : () => fakeGradientModel());
}

/** How far the block's move during `act` is from minus the combination. */
function differenceOf(
  unit: BlockUnit,
  act: () => unknown,
  ...parts: readonly (readonly [number, ReferenceGradients])[]
): number {
  const before = unit.snapshot().tensors;
  act();
  return moveDifference(before, unit.snapshot().tensors, combination(...parts));
}

const weightsOf = (unit: BlockUnit) => unit.snapshot().tensors;

describe("mixedSource", () => {
  it("one update is (1 - share) of M's and share of the mean of what came back since, by tf.grads", () => {
    const unit = mixedUnit();
    const first = weightsOf(unit);
    const synthetic1 = referenceGradients(first, 1, predicted(1));
    expect(differenceOf(unit, () => train(unit, 1), [1 - SHARE, synthetic1])).toBeLessThan(1e-4);
    const second = weightsOf(unit);
    const synthetic2 = referenceGradients(second, 2, predicted(2));
    expect(differenceOf(unit, () => train(unit, 2), [1 - SHARE, synthetic2])).toBeLessThan(1e-4);

    const third = weightsOf(unit);
    const outcomes = [unit.receive(1, returned(1), "true"), unit.receive(2, returned(2), "bootstrapped")];
    const shared = { isApplied: false, isAccumulated: true, version: 2, pending: 0, forgotten: 0 };
    expect(outcomes).toEqual([
      { ...shared, origin: "true", age: 2, retained: 1 },
      { ...shared, origin: "bootstrapped", age: 1, retained: 0 },
    ]);
    expect(weightsOf(unit)).toEqual(third);
    const apart = differenceOf(
      unit,
      () => train(unit, 3),
      [1 - SHARE, referenceGradients(third, 3, predicted(3))],
      [SHARE / 2, referenceGradients(first, 1, returned(1))],
      [SHARE / 2, referenceGradients(second, 2, returned(2))],
    );
    expect(apart).toBeLessThan(1e-4);

    // What was taken along is gone.
    const fourth = weightsOf(unit);
    const synthetic4 = referenceGradients(fourth, 4, predicted(4));
    expect(differenceOf(unit, () => train(unit, 4), [1 - SHARE, synthetic4])).toBeLessThan(1e-4);
    unit.dispose();
  });

  it("gives the block before M's gradient whole, once, at the forward", () => {
    const unit = mixedUnit();
    const { input } = referenceGradients(weightsOf(unit), 1, predicted(1));
    const outcome = train(unit, 1);
    expect(outcome).toMatchObject({ isApplied: true, origin: "synthetic", age: 0, version: 1, retained: 1 });
    expect(relativeDifference(outcome.inputGradient?.values ?? [], input)).toBeLessThan(1e-5);
    expect(unit.receive(1, returned(1), "true")).not.toHaveProperty("inputGradient");
    unit.dispose();
  });

  it("takes the returned gradient of a batch once", () => {
    const unit = mixedUnit();
    const first = weightsOf(unit);
    train(unit, 1);
    const second = weightsOf(unit);
    unit.receive(1, returned(1), "true");
    expect(unit.receive(1, returned(9), "true")).toEqual({
      isApplied: false,
      version: 1,
      retained: 0,
      pending: 0,
      forgotten: 0,
    });
    const apart = differenceOf(
      unit,
      () => train(unit, 2),
      [1 - SHARE, referenceGradients(second, 2, predicted(2))],
      [SHARE, referenceGradients(first, 1, returned(1))],
    );
    expect(apart).toBeLessThan(1e-4);
    unit.dispose();
  });

  it("restore forgets what is pending", () => {
    const unit = mixedUnit();
    train(unit, 1);
    const snapshot = unit.snapshot();
    unit.receive(1, returned(1), "true");
    unit.restore(snapshot);
    const synthetic = referenceGradients(snapshot.tensors, 2, predicted(2));
    expect(differenceOf(unit, () => train(unit, 2), [1 - SHARE, synthetic])).toBeLessThan(1e-4);
    unit.dispose();
  });

  it("a returned gradient that is not finite is KN_NUMERIC and never pending", () => {
    const unit = mixedUnit();
    train(unit, 1);
    const gradient = normalData([BATCH, 27], 2);
    gradient.values[5] = Number.NaN;
    expect(() => unit.receive(1, gradient, "true")).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
    const synthetic = referenceGradients(weightsOf(unit), 2, predicted(2));
    expect(differenceOf(unit, () => train(unit, 2), [1 - SHARE, synthetic])).toBeLessThan(1e-4);
    unit.dispose();
  });

  it("moves its share along the run: each gradient is weighted by the share of its own step", () => {
    const unit = mixedUnit({ trueShare: { from: 1, to: 0 } }); // over 10 steps: 0.9, 0.8, ..
    const first = weightsOf(unit);
    const synthetic = referenceGradients(first, 1, predicted(1));
    expect(differenceOf(unit, () => train(unit, 1), [0.1, synthetic])).toBeLessThan(1e-4);
    const second = weightsOf(unit);
    unit.receive(1, returned(1), "true");
    const apart = differenceOf(
      unit,
      () => train(unit, 2),
      [0.2, referenceGradients(second, 2, predicted(2))],
      [0.9, referenceGradients(first, 1, returned(1))],
    );
    expect(apart).toBeLessThan(1e-4);
    unit.dispose();
  });

  it("with M elsewhere: the synthetic one first is applied and keeps the batch for the returned one", () => {
    const unit = mixedUnit({ isElsewhere: true });
    const first = weightsOf(unit);
    expect(train(unit, 1)).toEqual({ isApplied: false, version: 0, retained: 1, pending: 1, forgotten: 0 });
    train(unit, 2);
    const synthetic = [1, 2].map((step) => referenceGradients(first, step, predicted(step)));
    let outcome: ReturnType<BlockUnit["receive"]> | undefined;
    const receive = (): void => {
      outcome = unit.receive(1, predicted(1), "synthetic");
    };
    expect(differenceOf(unit, receive, [1 - SHARE, synthetic[0] as ReferenceGradients])).toBeLessThan(1e-4);
    expect(outcome).toMatchObject({ isApplied: true, origin: "synthetic", age: 0, retained: 2 });
    expect(relativeDifference(outcome?.inputGradient?.values ?? [], synthetic[0]?.input ?? [])).toBeLessThan(1e-5);
    expect(unit.receive(1, predicted(7), "synthetic")).toMatchObject({ isApplied: false, version: 1, retained: 2 });

    expect(unit.receive(1, returned(1), "true")).toMatchObject({ isAccumulated: true, age: 1, retained: 1 });
    const apart = differenceOf(
      unit,
      () => {
        unit.receive(2, predicted(2), "synthetic");
      },
      [1 - SHARE, synthetic[1] as ReferenceGradients],
      [SHARE, referenceGradients(first, 1, returned(1))],
    );
    expect(apart).toBeLessThan(1e-4);
    unit.dispose();
  });

  it("with M elsewhere: the returned one first waits, and the batch stays for the synthetic one", () => {
    const unit = mixedUnit({ isElsewhere: true });
    const first = weightsOf(unit);
    train(unit, 1);
    expect(unit.receive(1, returned(1), "true")).toMatchObject({ isAccumulated: true, version: 0, retained: 1 });
    expect(unit.receive(1, returned(5), "true")).toEqual({
      isApplied: false,
      version: 0,
      retained: 1,
      pending: 1,
      forgotten: 0,
    });
    const apart = differenceOf(
      unit,
      () => {
        expect(unit.receive(1, predicted(1), "synthetic")).toMatchObject({ isApplied: true, retained: 0 });
      },
      [1 - SHARE, referenceGradients(first, 1, predicted(1))],
      [SHARE, referenceGradients(first, 1, returned(1))],
    );
    expect(apart).toBeLessThan(1e-4);
    expect(unit.receive(1, predicted(1), "synthetic").isApplied).toBe(false);
    unit.dispose();
  });
});

describe("trueShareAt", () => {
  it("is the number, or a line from `from` to `to` that ends with the run", () => {
    expect(trueShareAt(7, { trueShare: 0.4, totalSteps: 10 })).toBe(0.4);
    const line = { trueShare: { from: 0.2, to: 0.6 }, totalSteps: 10 };
    const shares = [0, 5, 10, 20].map((step) => trueShareAt(step, line));
    [0.2, 0.4, 0.6, 0.6].forEach((share, index) => {
      expect(shares[index]).toBeCloseTo(share, 12);
    });
  });
});
