/** Layers of a spec as a Keras Sequential topology. */
import type { LayerSpec, LayerType } from "../model-spec.ts";
import { LAYER_CLASSES, snakeCase } from "./layer-classes.ts";

/**
 * @param input shape of one sample.
 * @returns what tfjs, Keras 2.15 and Keras 3 read: classes by name and module, and the shape of the input as Keras 2
 * calls it, which Keras 3 reads too.
 */
export function writeTopology(name: string, input: readonly number[], layers: readonly LayerSpec[]): unknown {
  return {
    keras_version: "2.15.0",
    backend: "tensorflow",
    ...kerasObject("keras", "Sequential", {
      name,
      layers: [
        kerasObject("keras.layers", "InputLayer", {
          name: inputName(layers),
          batch_input_shape: [null, ...input],
          dtype: "float32",
        }),
        ...layers.map(writeLayer),
      ],
    }),
  };
}

/** Options that Keras 3 needs in a file though they have a default. */
const REQUIRED: Readonly<Partial<Record<LayerType, Readonly<Record<string, unknown>>>>> = { rescaling: { offset: 0 } };

function writeLayer(layer: LayerSpec): unknown {
  const { className, options } = LAYER_CLASSES[layer.type];
  const written = options.flatMap((option): [string, unknown][] => {
    const given: Readonly<Record<string, unknown>> = { ...REQUIRED[layer.type], ...layer };
    const value = given[option];
    return value === undefined ? [] : [[snakeCase(option), bothExtents(option, value)]];
  });
  return kerasObject("keras.layers", className, {
    name: layer.name,
    trainable: true,
    ...Object.fromEntries(written),
  });
}

function kerasObject(module: string, className: string, config: object): object {
  return { module, class_name: className, config, registered_name: null };
}

/** A name that no layer has. */
function inputName(layers: readonly LayerSpec[]): string {
  let name = "input";
  while (layers.some((layer) => layer.name === name)) name += "_";
  return name;
}

/** Keras writes height and width, also where they are equal. */
function bothExtents(option: string, value: unknown): unknown {
  return ["kernelSize", "strides", "poolSize"].includes(option) && typeof value === "number" ? [value, value] : value;
}
