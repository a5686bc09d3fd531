/** What holds for every source, with M beside the block or elsewhere. */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { type BlockUnit, createBlockUnit } from "../../../../../src/compute/block/block-unit.ts";
import { GRADIENT_SOURCE_TRAITS } from "../../../../../src/compute/index.ts";
import { GRADIENT_SOURCES, type GradientSourceKind } from "../../../../../src/run-spec/index.ts";
import { normalData } from "../../reference.ts";
import { BATCH, blockOptions, gradientModel, predicted, returned, train } from "./block-scene.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

const CASES = GRADIENT_SOURCES.flatMap((source): (readonly [GradientSourceKind, boolean])[] =>
  GRADIENT_SOURCE_TRAITS[source].hasGradientModel
    ? [
        [source, false],
        [source, true],
      ]
    : [[source, false]],
);

function open(source: GradientSourceKind, isElsewhere: boolean): { unit: BlockUnit; dispose: () => void } {
  const model = gradientModel();
  const retain = { batches: 3, bytes: 2 ** 30 };
  const options = blockOptions({ source, retain, isGradientModelElsewhere: isElsewhere });
  const unit = createBlockUnit(options, isElsewhere ? undefined : () => model);
  return {
    unit,
    dispose() {
      unit.dispose();
      model.dispose();
    },
  };
}

describe.each(CASES)("%s (gradient model elsewhere: %s)", (source, isElsewhere) => {
  const { hasGradientModel, hasAuxiliaryHead } = GRADIENT_SOURCE_TRAITS[source];

  it("keeps numTensors flat with late, missing, duplicate and unknown arrivals; dispose frees everything", () => {
    const before = tf.memory().numTensors;
    const { unit, dispose } = open(source, isElsewhere);
    const counts: number[] = [];
    for (let step = 1; step <= 24; step += 1) {
      train(unit, step);
      if (step % 7 === 0) train(unit, step); // a repeat takes the place of the first
      if (step % 2 === 0) unit.receive(step - 1, predicted(step - 1), "synthetic");
      if (step % 3 === 0) unit.receive(step - 2, returned(step - 2), "true");
      if (step % 4 === 0) for (let twice = 0; twice < 2; twice += 1) unit.receive(step, returned(step), "bootstrapped");
      if (step % 5 === 0) unit.receive(step - 5, returned(step - 5), "true"); // given up before
      unit.receive(step + 100, predicted(step), "synthetic");
      if (source === "auto" && step % 6 === 0) unit.use(step % 12 === 0 ? "synthetic" : "auxiliary");
      if (step % 12 === 0) {
        train(unit, step + 1000);
        unit.receive(step + 1000, predicted(step), "synthetic");
        unit.receive(step + 1000, returned(step), "true");
        train(unit, step + 2000); // takes along what is pending
        unit.receive(step + 2000, predicted(step), "synthetic");
        unit.forget();
        counts.push(tf.memory().numTensors);
      }
    }
    expect(counts[1]).toBe(counts[0]);
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("a gradient for a step that it does not keep changes nothing", () => {
    const { unit, dispose } = open(source, isElsewhere);
    const before = unit.snapshot();
    for (const origin of ["true", "bootstrapped", "synthetic"] as const) {
      expect(unit.receive(9, returned(9), origin)).toEqual({
        isApplied: false,
        version: 0,
        retained: 0,
        pending: 0,
        forgotten: 0,
      });
    }
    expect(unit.snapshot()).toEqual(before);
    dispose();
  });

  it("forget gives up what is retained, says how many of these the weights do not include, and counts them", () => {
    const { unit, dispose } = open(source, isElsewhere);
    for (const step of [1, 2, 3, 4]) train(unit, step);
    const { pending, forgotten } = train(unit, 5);
    expect(unit.forget()).toBe(pending);
    expect(unit.forget()).toBe(0);
    expect(unit.receive(5, returned(5), "true")).toMatchObject({
      isApplied: false,
      retained: 0,
      pending: 0,
      forgotten: forgotten + pending,
    });
    dispose();
  });

  it("keeps the newest batch however small the byte bound, and no other", () => {
    const model = gradientModel();
    const retain = { batches: 3, bytes: 1 };
    const unit = createBlockUnit(blockOptions({ source, retain, isGradientModelElsewhere: isElsewhere }), () => model);
    const outcomes = [1, 2, 3].map((step) => train(unit, step));
    const isRetaining = outcomes[0]?.retained === 1;
    expect(outcomes.map(({ retained }) => retained)).toEqual(isRetaining ? [1, 1, 1] : [0, 0, 0]);
    // Counted is what the weights do not include: not those that M's part was applied of.
    const isPending = outcomes[0]?.pending === 1;
    expect(outcomes.map(({ pending }) => pending)).toEqual(isPending ? [1, 1, 1] : [0, 0, 0]);
    expect(outcomes.map(({ forgotten }) => forgotten)).toEqual(isPending ? [0, 1, 2] : [0, 0, 0]);
    unit.dispose();
    model.dispose();
  });

  it("restore forgets what is retained, goes on equally and leaks nothing", () => {
    const { unit, dispose } = open(source, isElsewhere);
    const step = (at: number): void => {
      train(unit, at);
      unit.receive(at, predicted(at), "synthetic");
      unit.receive(at, returned(at), "true");
    };
    // Each M is its own actor's to restore: so only where none is beside the block is the way on equal.
    const isAlone = !hasGradientModel || isElsewhere;
    for (const at of [1, 2, 3, 4]) step(at);
    const snapshot = structuredClone(unit.snapshot());
    expect(Object.keys(snapshot.tensors).some((name) => name.startsWith("auxiliary/"))).toBe(hasAuxiliaryHead);
    const other = open(source, isElsewhere);
    other.unit.restore(snapshot);
    unit.restore(snapshot); // without what is pending
    const before = tf.memory().numTensors;
    train(unit, 5);
    unit.restore(snapshot);
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(isAlone ? 0 : 2); // M keeps batch 5
    expect(unit.receive(5, returned(5), "true")).toMatchObject({ isApplied: false, retained: 0 });
    if (isAlone) {
      const both = [unit, other.unit].map((each) => {
        train(each, 6);
        each.receive(6, predicted(6), "synthetic");
        each.receive(6, returned(6), "true");
        return each.snapshot();
      });
      expect(both[0]).toEqual(both[1]);
    }
    other.dispose();
    dispose();
  });

  it("a gradient of another shape for a batch that is kept is KN_SHAPE, ends it and leaks nothing", () => {
    const { unit, dispose } = open(source, isElsewhere);
    const { retained } = train(unit, 1);
    const origin = hasGradientModel && isElsewhere ? "synthetic" : "true";
    const receive = () => unit.receive(1, normalData([BATCH, 26], 1), origin);
    if (retained === 1) expect(receive).toThrow(expect.objectContaining({ code: "KN_SHAPE" }));
    expect(receive()).toMatchObject({ isApplied: false, retained: 0 });
    dispose();
  });
});

describe("createGradientSource", () => {
  it.each(CASES.filter(([, isElsewhere]) => isElsewhere).map(([source]) => source))(
    "%s without a gradient model beside it or elsewhere is KN_INVARIANT",
    (source) => {
      const before = tf.memory().numTensors;
      expect(() => createBlockUnit(blockOptions({ source }))).toThrow(
        expect.objectContaining({ code: "KN_INVARIANT" }),
      );
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it("synthetic with M elsewhere applies its prediction when it comes, at the full rate and at any age", () => {
    const unit = createBlockUnit(blockOptions({ source: "synthetic", isGradientModelElsewhere: true }));
    const locked = createBlockUnit(blockOptions());
    for (const each of [unit, locked]) for (const step of [1, 2, 3]) train(each, step);
    expect(unit.receive(2, returned(2), "true")).toMatchObject({ isApplied: false, retained: 3 });
    [1, 3, 2].forEach((step, age) => {
      const outcome = unit.receive(step, predicted(step), "synthetic");
      expect(outcome).toMatchObject({ isApplied: true, origin: "synthetic", age, version: age + 1 });
      expect(outcome.inputGradient).toEqual(locked.receive(step, predicted(step), "true").inputGradient);
    });
    expect(unit.snapshot()).toEqual(locked.snapshot());
    unit.dispose();
    locked.dispose();
  });
});
