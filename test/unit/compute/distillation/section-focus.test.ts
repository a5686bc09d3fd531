/** Training within a mask: what is outside keeps its bits, what is inside moves as without a mask. */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { createSectionUnit, type SectionUnit } from "../../../../src/compute/distillation/section-unit.ts";
import type { OptimizerSpec } from "../../../../src/run-spec/index.ts";
import type { NamedTensorData } from "../../../../src/compute/index.ts";
import { HEAD_LAYERS, labelData, normalData } from "../reference.ts";

const [BATCH, INPUT, CLASSES] = [12, 7, 5];
const KERNEL = "weights/dense/kernel";
const BIAS = "weights/logits/bias";
const PLACES = { [KERNEL]: Uint32Array.of(0, 5, 83), [BIAS]: Uint32Array.of(2) };
const OPTIMIZERS: OptimizerSpec[] = [
  { kind: "adam", learningRate: 0.05 },
  { kind: "sgd", learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.1 },
];

beforeAll(async () => {
  await selectBackend("auto");
});

function unitOf(optimizer: OptimizerSpec): SectionUnit {
  return createSectionUnit({
    inputShape: [INPUT],
    layers: HEAD_LAYERS,
    seed: 5,
    optimizer,
    learningRate: { peak: 0.05, totalSteps: 100, schedule: "constant" },
    classes: CLASSES,
    objective: {
      kind: "logits",
      crossEntropy: 0.5,
      teacher: { kind: "plain", temperature: 2, weight: 3, nonTarget: 8 },
    },
    averageDecay: 0,
  });
}

function train(unit: SectionUnit, from: number, to: number): void {
  for (let step = from; step <= to; step += 1) {
    const [input, hint] = [normalData([BATCH, INPUT], step), normalData([BATCH, CLASSES], 100 + step)];
    unit.train({ step, input, hint, labels: labelData(BATCH, CLASSES), ownShare: 0 });
  }
}

/** Places of each weight whose bits differ; statistics of batch norm are not listed. */
function moved(before: NamedTensorData, after: NamedTensorData): Record<string, number[]> {
  const names = Object.keys(before).filter((name) => name.startsWith("weights/") && !name.includes("/moving_"));
  return Object.fromEntries(
    names.flatMap((name) => {
      const values = after[name]?.values ?? [];
      const places = Array.from(before[name]?.values ?? [], (value, place) => (value === values[place] ? -1 : place));
      const changed = places.filter((place) => place >= 0);
      return changed.length === 0 ? [] : [[name, changed]];
    }),
  );
}

describe("focus", () => {
  it.each(OPTIMIZERS)("keeps the bits of every other value over steps of $kind, whose momentum is not 0", (spec) => {
    const unit = unitOf(spec);
    train(unit, 1, 3);
    const { tensors: before } = unit.snapshot();
    unit.focus(PLACES);
    train(unit, 4, 9);
    expect(moved(before, unit.snapshot().tensors)).toEqual({ [KERNEL]: [0, 5, 83], [BIAS]: [2] });
    unit.dispose();
  });

  it.each(OPTIMIZERS)("moves selected values, statistics and the state of $kind as one step without a mask", (spec) => {
    const [focused, free] = [unitOf(spec), unitOf(spec)];
    train(focused, 1, 3);
    free.restore(focused.snapshot());
    focused.focus(PLACES);
    for (const unit of [focused, free]) train(unit, 4, 4);
    const [{ tensors: within }, { tensors: everywhere }] = [focused.snapshot(), free.snapshot()];
    for (const [name, places] of Object.entries(PLACES)) {
      for (const place of places) expect(within[name]?.values[place]).toBe(everywhere[name]?.values[place]);
    }
    const others = Object.keys(everywhere).filter((name) => /optimizer\/|moving_/.test(name));
    expect(others.length).toBeGreaterThan(2);
    for (const name of others) expect(within[name], name).toEqual(everywhere[name]);
    focused.dispose();
    free.dispose();
  });

  it("stays over restore; undefined ends it; names of other sections are ignored", () => {
    const unit = unitOf({ kind: "adam", learningRate: 0.05 });
    const start = unit.snapshot();
    unit.focus({ [BIAS]: Uint32Array.of(4), "weights/elsewhere/kernel": Uint32Array.of(1_000_000) });
    unit.restore(start);
    train(unit, 1, 2);
    const { tensors: after } = unit.snapshot();
    expect(moved(start.tensors, after)).toEqual({ [BIAS]: [4] });
    unit.focus(undefined);
    train(unit, 3, 4);
    expect(Object.keys(moved(after, unit.snapshot().tensors))).toHaveLength(5);
    unit.dispose();
  });

  it("refuses a place beyond its weight, and keeps what was selected before", () => {
    const unit = unitOf({ kind: "adam", learningRate: 0.05 });
    const { tensors: before } = unit.snapshot();
    unit.focus({ [BIAS]: Uint32Array.of(1) });
    const wrong = { [KERNEL]: Uint32Array.of(0), [BIAS]: Uint32Array.of(CLASSES) };
    expect(() => {
      unit.focus(wrong);
    }).toThrow(expect.objectContaining({ code: "KN_SHAPE", value: "5" }));
    train(unit, 1, 2);
    expect(moved(before, unit.snapshot().tensors)).toEqual({ [BIAS]: [1] });
    unit.dispose();
  });

  it("leaves numTensors alone", () => {
    const unit = unitOf({ kind: "adam", learningRate: 0.05 });
    train(unit, 1, 1); // brings the optimiser's state
    const before = tf.memory().numTensors;
    for (const places of [PLACES, { [BIAS]: Uint32Array.of(0) }, undefined]) {
      unit.focus(places);
      train(unit, 2, 2);
    }
    expect(tf.memory().numTensors).toBe(before);
    const other = unitOf({ kind: "adam", learningRate: 0.05 });
    other.focus(PLACES);
    other.dispose();
    expect(tf.memory().numTensors).toBe(before);
    unit.dispose();
  });
});
