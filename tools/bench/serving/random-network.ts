/** Releases of a network with random weights: a server's figures do not depend on what it has learned. */
import type { NamedTensorData, TensorData } from "../../../src/compute/index.ts";
import { splitmix32 } from "../../../src/data/index.ts";
import {
  layersOfBlocks,
  measureLayers,
  type ModelManifest,
  type ModelSpec,
  signatureOf,
} from "../../../src/run-spec/index.ts";

const WORDS = 2 ** 32;

/** Weights of one block, `weights/<layer>/<weight>`; of a size that keeps activations near 1. */
export function randomBlock(network: ModelSpec, block: number, seed: number): NamedTensorData {
  const word = splitmix32(seed * 1_000 + block);
  const uniform = (): number => word() / WORDS - 0.5;
  const names = (layersOfBlocks(network)[block] ?? []).map(({ name }) => name);
  return Object.fromEntries(
    measureLayers(network)
      .filter(({ name }) => names.includes(name))
      .flatMap(({ name, weights }) =>
        Object.entries(weights).map(([weight, shape]): [string, TensorData] => {
          const isVariance = weight === "moving_variance";
          const inputs = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
          const values = Float32Array.from({ length: shape.reduce((product, extent) => product * extent, 1) }, () =>
            isVariance ? 1 + Math.abs(uniform()) : (uniform() * 3.5) / Math.sqrt(inputs),
          );
          return [`weights/${name}/${weight}`, { dtype: "f32", shape, values }];
        }),
      ),
  );
}

/** Facts of a release of it; where samples are images it takes image files. */
export function manifestOf(network: ModelSpec, createdAt: string): Omit<ModelManifest, "format" | "model"> {
  const [height = 0, width = 0, channels] = network.input;
  const isImage = channels === 1 || channels === 3;
  return {
    network,
    ...(isImage ? { image: { height, width, channels, resize: "bilinear" } } : {}),
    ...signatureOf(network),
    classNames: Array.from({ length: network.classes }, (_, index) => String(index)),
    origin: {
      run: "bench",
      kind: "training",
      attempt: 1,
      generation: 0,
      phase: "training",
      blocks: layersOfBlocks(network).map((_, index) => ({ actor: `block-${index}`, applied: 0 })),
      softwareVersion: "0.1.0",
    },
    createdAt,
  };
}

/** Samples whose values are whole numbers from 0 to 255, as those of images are. */
export function randomImages(shape: readonly number[], count: number, seed: number) {
  const word = splitmix32(seed);
  const values = Float32Array.from(
    { length: count * shape.reduce((product, extent) => product * extent, 1) },
    () => word() & 255,
  );
  return { shape, values };
}
