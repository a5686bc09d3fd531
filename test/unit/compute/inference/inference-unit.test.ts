import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { createTeacherUnit } from "../../../../src/compute/distillation/index.ts";
import { createInferenceUnit, type InferenceUnitOptions } from "../../../../src/compute/inference/index.ts";
import { createBlockModel, restoreWeights } from "../../../../src/compute/nn/index.ts";
import type { LayerSpec } from "../../../../src/run-spec/index.ts";
import type { NamedTensorData, TensorData } from "../../../../src/compute/index.ts";
import { BACKEND_NAMES } from "../../../../src/compute/backend/backend-info.ts";
import { isKnowledgeNetError } from "../../../../src/errors/index.ts";
import { bitsOfProcess, measureBits } from "../../../../tools/bench/inference-bits.ts";
import {
  batchOf,
  INFERENCE_NETS,
  inferenceNet,
  seededSample,
  seededWeights,
} from "../../../../tools/bench/inference-nets.ts";

/** Every type of layer. */
const ALL_LAYERS: readonly LayerSpec[] = [
  { name: "scale", type: "rescaling", scale: 0.01, offset: -1 },
  { name: "conv", type: "conv2d", filters: 6, kernelSize: 3, strides: 2 },
  { name: "norm", type: "batch_normalization", momentum: 0.9, epsilon: 0.01 },
  { name: "deep", type: "depthwise_conv2d", kernelSize: 3, padding: "same" },
  { name: "plain", type: "batch_normalization" },
  { name: "mean", type: "average_pooling2d", poolSize: 2, padding: "same" },
  { name: "most", type: "max_pooling2d", poolSize: 2, strides: 1 },
  { name: "relu", type: "re_lu", maxValue: 6 },
  { name: "flat", type: "flatten" },
  { name: "dense", type: "dense", units: 9 },
  { name: "norm2", type: "batch_normalization" },
  { name: "drop", type: "dropout", rate: 0.5 },
  { name: "logits", type: "dense", units: 5 },
];
const ALL: InferenceUnitOptions = { inputShape: [13, 13, 2], layers: ALL_LAYERS };
/** 0.5 MiB of weights. */
const WIDE: InferenceUnitOptions = {
  inputShape: [512],
  layers: [
    { name: "wide", type: "dense", units: 256, useBias: false },
    { name: "norm", type: "batch_normalization" },
  ],
};

/** What tfjs itself answers, with the same weights. */
function predicted(options: InferenceUnitOptions, weights: NamedTensorData, batch: TensorData): Float32Array {
  const model = createBlockModel({ ...options, seed: 99 });
  restoreWeights(model, weights);
  const input = tf.tensor(batch.values, [...batch.shape], "float32");
  const output = model.predict(input) as tf.Tensor;
  const values = Float32Array.from(output.dataSync());
  tf.dispose([input, output]);
  model.dispose();
  return values;
}

function batch({ inputShape }: InferenceUnitOptions, rows: number): TensorData {
  return batchOf(
    inputShape,
    Array.from({ length: rows }, (_, number) => seededSample(inputShape, number)),
  );
}

for (const backend of BACKEND_NAMES.filter((name) => name !== "cpu")) {
  describe(`createInferenceUnit on ${backend}`, () => {
    let isAbsent = false;
    beforeAll(async () => {
      try {
        await selectBackend(backend);
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
        isAbsent = true;
      }
    });
    const test = (name: string, work: () => void | Promise<void>): void => {
      it(name, async (context) => {
        context.skip(isAbsent, `needs the ${backend} backend: run \`npm run setup\``);
        await work();
      });
    };

    test("gives the bits of LayersModel.predict, for every type of layer", () => {
      const unit = createInferenceUnit(ALL);
      for (const release of [1, 2]) {
        const weights = seededWeights(ALL, release);
        unit.load(release, weights);
        unit.complete(release);
        for (const rows of [1, 2, 8]) {
          const { output, nonFiniteRows } = unit.infer(release, batch(ALL, rows));
          expect(output).toMatchObject({ shape: [rows, 5], values: predicted(ALL, weights, batch(ALL, rows)) });
          expect(nonFiniteRows).toEqual([]);
        }
      }
      unit.dispose();
    });

    test("gives the bits of LayersModel.predict and of a teacher's section, for the example networks", async () => {
      for (const net of INFERENCE_NETS) {
        const options = await inferenceNet(net);
        const weights = seededWeights(options, 3);
        const unit = createInferenceUnit(options);
        const teacher = createTeacherUnit({ ...options, weights });
        unit.load(1, weights);
        unit.complete(1);
        const { output } = unit.infer(1, batch(options, 4));
        expect(output.values).toEqual(predicted(options, weights, batch(options, 4)));
        expect(output).toEqual(teacher.infer(batch(options, 4)));
        unit.dispose();
        teacher.dispose();
      }
    });

    test("the bits of a row depend on the number of rows, and on neither place nor neighbours", async () => {
      const sizes = Array.from({ length: 32 }, (_, index) => index + 1);
      for (const net of INFERENCE_NETS) {
        const first = await measureBits(net, net === "mnist-teacher" ? sizes : [1, 3, 8, 24, 25]);
        expect(first.filter(({ dependent }) => dependent > 0)).toEqual([]);
        expect(await measureBits(net, [2, 25])).toEqual(
          expect.arrayContaining(first.filter(({ rows }) => rows === 25)),
        );
      }
    });

    test("the bits of a row are equal in another process, and on one thread equal for all but a single row", async () => {
      const here = await bitsOfProcess(backend, 1, "mnist-teacher", [1, 2, 7, 25]);
      const again = await bitsOfProcess(backend, 1, "mnist-teacher", [1, 2, 7, 25]);
      expect(again).toEqual(here);
      const digests = here.sizes.slice(1).map(({ digest }) => digest);
      expect(new Set(digests).size).toBe(1);
      for (const threads of [2, 4]) {
        const { sizes } = await bitsOfProcess(backend, threads, "mnist-teacher", [1, 7, 25]);
        expect(sizes.filter(({ dependent }) => dependent > 0)).toEqual([]);
      }
    });

    test("keeps tensors, bytes and memory flat over 1,000 releases", () => {
      const unit = createInferenceUnit(WIDE);
      const entries = Object.entries(seededWeights(WIDE, 1));
      const copied = (from: number): NamedTensorData =>
        Object.fromEntries(entries.slice(from).map(([name, data]) => [name, structuredClone(data)]));
      const use = (release: number): void => {
        unit.load(release, copied(0));
        unit.complete(release);
        unit.infer(release, batch(WIDE, 3));
        unit.drop(release - 1);
        unit.load(-1, copied(1));
        expect(() => {
          unit.complete(-1);
        }).toThrow(/must hold/);
      };
      for (let release = 1; release <= 100; release += 1) use(release);
      const before = tf.memory();
      const rssBefore = process.memoryUsage.rss();
      for (let release = 101; release <= 1100; release += 1) use(release);
      const { numTensors, numBytes, numDataBuffers } = tf.memory();
      expect({ numTensors, numBytes, numDataBuffers }).toEqual({
        numTensors: before.numTensors,
        numBytes: before.numBytes,
        numDataBuffers: before.numDataBuffers,
      });
      // A leak of every release would be 500 MiB; the rest is for garbage that is not collected yet.
      expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(128 * 2 ** 20);
      expect(unit.releases()).toEqual([1100]);
      unit.dispose();
    });

    test("dispose frees the network and all releases, also one that is being loaded", () => {
      const before = tf.memory().numTensors;
      const unit = createInferenceUnit(ALL);
      for (const release of [1, 2]) {
        unit.load(release, seededWeights(ALL, release));
        unit.complete(release);
        unit.infer(release, batch(ALL, 1));
      }
      unit.load(3, seededWeights(ALL, 3));
      unit.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  });
}
