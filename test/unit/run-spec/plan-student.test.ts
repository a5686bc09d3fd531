import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { describeModel } from "../../../src/compute/nn/describe-model.ts";
import { selectBackend } from "../../../src/compute/backend/index.ts";
import {
  layersOfBlocks,
  measureLayers,
  measureSections,
  type ModelSpec,
  parseTrainingSpec,
  planStudent,
} from "../../../src/run-spec/index.ts";

const teacherOf = (name: string): ModelSpec => {
  const file = new URL(`../../../examples/${name}.yaml`, import.meta.url);
  return parseTrainingSpec(readFileSync(file, "utf8"), { file: file.pathname }).model;
};
const CIFAR = teacherOf("cifar-teacher");

describe("measureSections", () => {
  it.each(["cifar-teacher", "mnist-teacher", "mnist-synthetic"])("agrees with tfjs on %s", async (name) => {
    await selectBackend("cpu");
    const model = teacherOf(name);
    expect(measureSections(model)).toEqual(describeModel(model));
  });

  it("agrees with tfjs on strides, valid padding, biases, depthwise convolutions and every pool", async () => {
    await selectBackend("cpu");
    const model: ModelSpec = {
      input: [17, 15, 3],
      classes: 5,
      layers: [
        { name: "a", type: "conv2d", filters: 8, kernelSize: [3, 5], strides: 2, padding: "same" },
        { name: "b", type: "depthwise_conv2d", kernelSize: 3, depthMultiplier: 2 },
        { name: "c", type: "average_pooling2d", poolSize: [2, 3], strides: 1 },
        { name: "d", type: "max_pooling2d", poolSize: 2, padding: "same" },
        { name: "e", type: "conv2d", filters: 6, kernelSize: 1, useBias: false },
        { name: "f", type: "global_average_pooling2d" },
        { name: "g", type: "dense", units: 5 },
      ],
      cuts: ["b", "d"],
    };
    expect(measureSections(model)).toEqual(describeModel(model));
  });

  it("refuses layers that do not fit with KN_SHAPE that names the layer", () => {
    const layers = (kernelSize: number) => [{ name: "big", type: "conv2d" as const, filters: 1, kernelSize }];
    expect(() => measureLayers({ input: [4, 4, 1], layers: layers(5) })).toThrow(/KN_SHAPE.*big.*\[4, 4\]/);
    expect(() => measureLayers({ input: [16], layers: layers(1) })).toThrow(/KN_SHAPE.*big.*\[16\]/);
  });
});

describe("planStudent", () => {
  it("meets both targets with the teacher's own boundaries and depth", () => {
    const { model, saved, meetsTarget, student, teacher } = planStudent(CIFAR, { compress: 0.62, compressMacs: 0.5 });
    expect(meetsTarget).toBe(true);
    expect(saved.parameters).toBeGreaterThanOrEqual(0.62);
    expect(saved.macs).toBeGreaterThanOrEqual(0.5);
    expect(student.map(({ outputShape }) => outputShape)).toEqual(teacher.map(({ outputShape }) => outputShape));
    expect(layersOfBlocks(model).map((layers) => layers.length)).toEqual(
      layersOfBlocks(CIFAR).map((layers) => layers.length),
    );
    expect(measureSections(model)).toEqual(student);
  });

  it("does not take much more than it is asked for", () => {
    for (const compress of [0.2, 0.4, 0.62]) {
      const { saved } = planStudent(CIFAR, { compress, compressMacs: 0 });
      expect(saved.parameters).toBeGreaterThanOrEqual(compress);
      expect(saved.parameters).toBeLessThan(compress + 0.05);
    }
  });

  it("removes layers and narrows boundaries only where narrowing inside does not do", () => {
    const { meetsTarget, student, teacher, notes } = planStudent(CIFAR, { compress: 0.97, compressMacs: 0.97 });
    expect(meetsTarget).toBe(true);
    expect(notes.join()).toMatch(/removed.*adapter/);
    student.forEach(({ outputShape }, index) => {
      // Only the width differs: height and width stand, and so do the classes.
      expect(outputShape.slice(0, -1)).toEqual(teacher[index]?.outputShape.slice(0, -1));
    });
    expect(student.at(-1)?.outputShape).toEqual([10]);
  });

  it("says how near it came where a target is out of reach", () => {
    const { meetsTarget, saved } = planStudent(CIFAR, { compress: 0.9999, compressMacs: 0.9999 });
    expect(meetsTarget).toBe(false);
    expect(saved.parameters).toBeGreaterThan(0.99);
  });

  it("leaves a teacher that is small enough as it is", () => {
    expect(planStudent(CIFAR, { compress: 0, compressMacs: 0 }).model).toEqual(CIFAR);
  });
});
