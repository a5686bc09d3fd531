/** The two networks that inference is measured with, and weights for them: seeded, with statistics as after training. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { InferenceUnitOptions, NamedTensorData, TensorData } from "../../src/compute/index.ts";
import { createBlockModel, deriveSeed } from "../../src/compute/nn/index.ts";
import { parseSpec } from "../../src/run-spec/index.ts";
import { PACKAGE_ROOT } from "../../setup/index.ts";

export const INFERENCE_NETS = ["mnist-teacher", "cifar-sections"] as const;
export type InferenceNet = (typeof INFERENCE_NETS)[number];

/** The network of a training spec, the student of a distillation. */
export async function inferenceNet(net: InferenceNet): Promise<InferenceUnitOptions> {
  const file = join(PACKAGE_ROOT, "examples", `${net}.yaml`);
  const spec = parseSpec(await readFile(file, "utf8"), { file });
  const { input, layers } = "student" in spec ? spec.student.model : spec.model;
  return { inputShape: input, layers };
}

/** All weights of a network, of buffers of their own. Needs a backend. */
export function seededWeights({ inputShape, layers }: InferenceUnitOptions, seed: number): NamedTensorData {
  const model = createBlockModel({ inputShape, layers, seed });
  const tensors: Record<string, TensorData> = {};
  for (const weight of model.weights) {
    const name = `weights/${weight.originalName}`;
    const values = Float32Array.from(weight.read().dataSync());
    const { random } = createRandom(deriveSeed(seed, name));
    // Initial ones are constants: 0 and 1.
    if (weight.shape.length === 1)
      for (const index of values.keys()) values[index] = (values[index] ?? 0) + random() / 4;
    tensors[name] = { dtype: "f32", shape: weight.shape as number[], values };
  }
  model.dispose();
  return tensors;
}

/** A sample with values 0 to 255, one of a numbered series. */
export function seededSample(inputShape: readonly number[], number: number): Float32Array {
  const { random } = createRandom(deriveSeed(number, "sample"));
  const size = inputShape.reduce((product, extent) => product * extent, 1);
  return Float32Array.from({ length: size }, () => Math.floor(random() * 256));
}

export function batchOf(inputShape: readonly number[], samples: readonly Float32Array[]): TensorData {
  const size = inputShape.reduce((product, extent) => product * extent, 1);
  const values = new Float32Array(samples.length * size);
  samples.forEach((sample, row) => {
    values.set(sample, row * size);
  });
  return { dtype: "f32", shape: [samples.length, ...inputShape], values };
}

/** Marsaglia's xorshift: equal on every machine. */
export function createRandom(seed: number): { random(): number } {
  let state = seed | 0 || 1;
  return {
    random() {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) / 2 ** 32;
    },
  };
}
