/** Writes a network for tfjs (its layers format) or for Keras (topology as JSON, weights as safetensors). */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NamedTensorData, TensorData } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { encodeSafetensors } from "../messages/checkpoint/index.ts";
import { measureLayers, type ModelSpec, writeTopology } from "../run-spec/index.ts";

export const EXPORT_FORMATS = ["tfjs", "keras-json"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  /** Name of the model. */
  readonly name: string;
  readonly format: ExportFormat;
  readonly directory: string;
  readonly classNames: readonly string[];
}

/**
 * @returns the written files. Rejects with KN_UNAVAILABLE when a write fails, KN_CHECKPOINT when a weight is missing.
 */
export async function exportModel(
  { model, tensors }: { readonly model: ModelSpec; readonly tensors: NamedTensorData },
  { name, format, directory, classNames }: ExportOptions,
): Promise<string[]> {
  const topology = writeTopology(name, model.input, model.layers);
  const weights = listWeights(model, tensors);
  const files: [string, string | Uint8Array][] =
    format === "tfjs"
      ? [
          ["weights.bin", concat(weights.map(([, { values }]) => values))],
          ["model.json", pretty(tfjsFile(topology, weights, classNames))],
        ]
      : [
          ["weights.safetensors", encodeSafetensors({ metadata: {}, tensors: Object.fromEntries(weights) })],
          ["load.py", LOAD_PY],
          ["model.json", pretty(topology)],
        ];
  try {
    await mkdir(directory, { recursive: true });
    // The model last, and by a rename: a folder with a model.json is complete.
    for (const [file, content] of files) {
      const path = join(directory, file);
      await writeFile(`${path}.partial`, content);
      await rename(`${path}.partial`, path);
    }
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `export to ${directory}`,
      rule: "the folder must be writable and have room",
      value: error instanceof Error ? error.message : String(error),
      remedy: "choose another folder: -o",
      cause: error,
    });
  }
  return files.map(([file]) => join(directory, file));
}

/** `<layer>/<weight>`, in the order in which Keras and tfjs list them. */
function listWeights(model: ModelSpec, tensors: NamedTensorData): [string, TensorData][] {
  return measureLayers(model).flatMap(({ name, weights }) =>
    Object.entries(weights).map(([weight, shape]): [string, TensorData] => {
      const tensor = tensors[`weights/${name}/${weight}`];
      if (tensor?.shape.join() === shape.join()) return [`${name}/${weight}`, tensor];
      throw new KnowledgeNetError("KN_CHECKPOINT", {
        attempt: `export layer ${name}`,
        rule: `it must have its weight ${weight} [${shape.join(", ")}]`,
        value: tensor === undefined ? "absent" : `[${tensor.shape.join(", ")}]`,
        remedy: "export another run, or train it again",
      });
    }),
  );
}

function tfjsFile(topology: unknown, weights: readonly [string, TensorData][], classes: readonly string[]): unknown {
  return {
    format: "layers-model",
    generatedBy: "KnowledgeNet",
    convertedBy: null,
    modelTopology: topology,
    weightsManifest: [
      {
        paths: ["weights.bin"],
        weights: weights.map(([name, { shape }]) => ({ name, shape, dtype: "float32" })),
      },
    ],
    userDefinedMetadata: { classes },
  };
}

const LOAD_PY = `"""Loads this network into Keras 2.15 or 3: model = load.load(). Needs keras, numpy and safetensors."""
import pathlib

import keras
from safetensors.numpy import load_file

ORDER = ["kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"]


def load():
    folder = pathlib.Path(__file__).parent
    model = keras.models.model_from_json((folder / "model.json").read_text())
    weights = load_file(folder / "weights.safetensors")
    for layer in model.layers:
        own = [weights[f"{layer.name}/{name}"] for name in ORDER if f"{layer.name}/{name}" in weights]
        if own:
            layer.set_weights(own)
    return model
`;

function pretty(value: unknown): string {
  return `${JSON.stringify(value, undefined, 1)}\n`;
}

function concat(parts: readonly ArrayBufferView[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    whole.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    offset += byteLength;
  }
  return whole;
}
