/** Weights of small and of real size that the tests of updates share; the same for the same seed on any machine. */
import type { NamedTensors } from "../../../../src/models/index.ts";
import type { TensorShapes } from "../../../../src/models/updates/index.ts";
import { seededDraws } from "../../messages/model-update/update-samples.ts";

export const SMALL: TensorShapes = {
  "weights/d1/bias": [3],
  "weights/d1/kernel": [4, 3],
  "weights/n1/moving_mean": [3],
  "weights/n1/moving_variance": [3],
  "weights/temperature/scale": [],
};

/** Convolutions and dense layers of 3.0 M weights with 1,562 channels of batch norm, as a student of CIFAR-10 has. */
export function studentShapes(): TensorShapes {
  const shapes: Record<string, readonly number[]> = {};
  const norm = (name: string, channels: number): void => {
    for (const weight of ["beta", "gamma", "moving_mean", "moving_variance"])
      shapes[`weights/${name}/${weight}`] = [channels];
  };
  const channels = [3, 64, 128, 128, 256, 256, 384];
  channels.slice(1).forEach((output, at) => {
    shapes[`weights/conv${at}/kernel`] = [3, 3, channels[at] as number, output];
    norm(`norm${at}`, output);
  });
  shapes["weights/dense0/kernel"] = [2880, 346];
  norm("norm-dense", 346);
  shapes["weights/dense1/kernel"] = [346, 10];
  shapes["weights/dense1/bias"] = [10];
  return shapes;
}

/** f32 values, normal with the deviation of He's start (variance 2 / inputs) for kernels, 1 for the rest. */
export function normalWeights(shapes: TensorShapes, seed: number): NamedTensors {
  const draw = seededDraws(seed);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const elements = shape.reduce((product, extent) => product * extent, 1);
      const inputs = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
      const deviation = shape.length > 1 ? Math.sqrt(2 / inputs) : 1;
      const normal = (): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw()); // Box and Muller 1958
      return [
        name,
        { dtype: "f32", shape, values: Float32Array.from({ length: elements }, () => normal() * deviation) },
      ];
    }),
  );
}

/** All values moved by up to `step`, uniformly. */
export function moved(tensors: NamedTensors, step: number, seed: number): NamedTensors {
  const draw = seededDraws(seed);
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, values }]) => [
      name,
      { dtype: "f32", shape, values: Float32Array.from(values, (value) => value + (draw() * 2 - 1) * step) },
    ]),
  );
}

/** Every value of a model, by "<name>[<place>]". */
export function valuesByPlace(tensors: NamedTensors): Map<string, number> {
  return new Map(
    Object.entries(tensors).flatMap(([name, { values }]) =>
      Array.from(values, (value, place): [string, number] => [`${name}[${place}]`, value]),
    ),
  );
}
