/**
 * Keras topologies, as in a tfjs or Keras `model.json`, to layers of a spec and back. A chain of known layers; whatever
 * else there is, is refused by name. Keras 2 (tfjs's own) and Keras 3 are read, Keras 2 is written.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";
import { type LayerSpec, type LayerType, layerSpecSchema, LAYER_TYPES } from "./model-spec.ts";

/** Keras's class of each layer, and its options where the names differ by more than their style. */
const CLASSES = {
  rescaling: "Rescaling",
  conv2d: "Conv2D",
  depthwise_conv2d: "DepthwiseConv2D",
  dense: "Dense",
  batch_normalization: "BatchNormalization",
  re_lu: "ReLU",
  max_pooling2d: "MaxPooling2D",
  average_pooling2d: "AveragePooling2D",
  global_average_pooling2d: "GlobalAveragePooling2D",
  flatten: "Flatten",
  dropout: "Dropout",
} as const satisfies Record<LayerType, string>;

/** Options that are written and read, in the spec's style. */
const OPTIONS: Readonly<Record<LayerType, readonly string[]>> = {
  rescaling: ["scale", "offset"],
  conv2d: ["filters", "kernelSize", "strides", "padding", "useBias"],
  depthwise_conv2d: ["depthMultiplier", "kernelSize", "strides", "padding", "useBias"],
  dense: ["units", "useBias"],
  batch_normalization: ["momentum", "epsilon"],
  re_lu: ["maxValue"],
  max_pooling2d: ["poolSize", "strides", "padding"],
  average_pooling2d: ["poolSize", "strides", "padding"],
  global_average_pooling2d: [],
  flatten: [],
  dropout: ["rate"],
};

/** What a layer must not ask for, since the layers of a spec cannot do it: option, and the values that are harmless. */
const FIXED: Readonly<Record<string, readonly unknown[]>> = {
  data_format: [undefined, null, "channels_last"],
  dilation_rate: [undefined, null, 1, "[1]", "[1,1]"],
  groups: [undefined, null, 1],
  center: [undefined, true],
  scale: [undefined, true],
  negative_slope: [undefined, null, 0],
  alpha: [undefined, null, 0],
  threshold: [undefined, null, 0],
};

/** Of Keras, where a topology leaves it out. */
const KERAS_DEFAULTS: Readonly<Partial<Record<LayerType, Readonly<Record<string, unknown>>>>> = {
  batch_normalization: { momentum: 0.99, epsilon: 1e-3 },
};

export interface ReadTopology {
  /** Shape of one sample. */
  readonly input: readonly number[];
  readonly layers: readonly LayerSpec[];
  /** Names in the file of the layers that have weights, to their names in the spec. */
  readonly names: ReadonlyMap<string, string>;
}

const layerSchema = z.looseObject({
  class_name: z.string(),
  config: z.looseObject({ name: z.string().optional() }),
  inbound_nodes: z.array(z.unknown()).optional(),
});
type KerasLayer = z.infer<typeof layerSchema>;
const topologySchema = z.looseObject({
  class_name: z.enum(["Sequential", "Functional", "Model"]),
  config: z.union([z.array(layerSchema), z.looseObject({ layers: z.array(layerSchema) })]),
});

/** @throws KnowledgeNetError KN_CONFIG that names the layer and what it asks for. */
export function readTopology(topology: unknown, file: string): ReadTopology {
  const refuse = (rule: string, value: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `import ${file}`, rule, value, remedy });
  const outer = z.looseObject({ model_config: z.unknown() }).safeParse(topology);
  const parsed = topologySchema.safeParse(
    outer.success && outer.data.model_config ? outer.data.model_config : topology,
  );
  if (!parsed.success) {
    throw refuse(
      "it must hold the topology of a Sequential or Functional model",
      parsed.error.issues[0]?.message ?? "something else",
      "save it with model.save (tfjs) or model.to_json (Keras)",
    );
  }
  const { config } = parsed.data;
  const given = Array.isArray(config) ? config : config.layers;
  let input: readonly number[] | undefined;
  const layers: LayerSpec[] = [];
  const names = new Map<string, string>();
  let before: string | undefined;

  for (const [position, layer] of given.entries()) {
    const name = layer.config.name ?? `layer${position}`;
    const inbound = inboundNames(layer);
    if (before !== undefined && inbound.length > 0 && inbound.join() !== before) {
      throw refuse("the layers must be a chain", `${name} takes ${inbound.join(", ")}`, "only such models can be cut");
    }
    before = name;
    const shape = layer.config.batch_input_shape ?? layer.config.batch_shape;
    if (input === undefined && Array.isArray(shape)) input = z.array(z.int().positive()).parse(shape.slice(1));
    if (layer.class_name === "InputLayer") continue;
    for (const [option, harmless] of Object.entries(FIXED)) {
      if (option === "scale" && layer.class_name === "Rescaling") continue;
      const value = layer.config[option];
      if (!harmless.includes(Array.isArray(value) ? JSON.stringify(value) : value)) {
        throw refuse(
          `${option} of layer ${name} (${layer.class_name}) is not supported`,
          JSON.stringify(value),
          "use another model",
        );
      }
    }
    const safe = name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 56);
    names.set(name, safe);
    layers.push(...layersFrom(layer, name, safe, position === given.length - 1, refuse));
  }
  if (input === undefined || layers.length === 0) {
    throw refuse("it must name the shape of its input", "none", "build the model before it is saved");
  }
  return { input, layers, names };
}

type Refuse = (rule: string, value: string, remedy: string) => KnowledgeNetError;

/** One Keras layer as one of ours, and its inline activation as another. */
function layersFrom(
  { class_name: className, config }: KerasLayer,
  name: string,
  safe: string,
  isLast: boolean,
  refuse: Refuse,
): LayerSpec[] {
  if (className === "Activation" || className === "Softmax") {
    const activation = className === "Softmax" ? "softmax" : String(config.activation);
    return activationLayers(activation, safe, name, isLast, refuse);
  }
  const type = LAYER_TYPES.find((each) => CLASSES[each] === className);
  if (type === undefined) {
    throw refuse(
      `layer ${name} must be of a known type (${Object.values(CLASSES).join(", ")})`,
      className,
      "use a model of these layers",
    );
  }
  const options = Object.fromEntries(
    OPTIONS[type].flatMap((option) => {
      const value = config[snakeCase(option)] ?? KERAS_DEFAULTS[type]?.[option];
      return value === undefined || value === null ? [] : [[option, value]];
    }),
  );
  const layer = layerSpecSchema.safeParse({ type, name: safe, ...options });
  if (!layer.success) {
    const issue = layer.error.issues[0];
    throw refuse(
      `layer ${name}: ${issue?.path.join(".")} ${issue?.message}`,
      JSON.stringify(options),
      "correct the file",
    );
  }
  const inline = typeof config.activation === "string" ? config.activation : "linear";
  return [layer.data, ...activationLayers(inline, `${safe}_active`, name, isLast, refuse)];
}

/** Softmax is left out at the end: a network of ours ends with its logits. */
function activationLayers(activation: string, name: string, of: string, isLast: boolean, refuse: Refuse): LayerSpec[] {
  if (activation === "linear" || (activation === "softmax" && isLast)) return [];
  if (activation === "relu") return [{ type: "re_lu", name }];
  if (activation === "relu6") return [{ type: "re_lu", name, maxValue: 6 }];
  throw refuse(
    `the activation of layer ${of} must be relu, relu6, or softmax at the end`,
    activation,
    "use another model",
  );
}

/** Layers that a layer of a Functional model takes, by name; none in a Sequential one. */
function inboundNames({ inbound_nodes: nodes = [] }: KerasLayer): string[] {
  const found: string[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      if (typeof value[0] === "string" && typeof value[1] === "number") found.push(value[0]);
      else value.forEach(visit);
    } else if (typeof value === "object" && value !== null) {
      const history = (value as { keras_history?: unknown }).keras_history;
      if (Array.isArray(history)) visit(history);
      else Object.values(value).forEach(visit);
    }
  };
  nodes.forEach(visit);
  return found;
}

/** A Keras 2 Sequential topology of these layers, which tfjs and Keras read. */
export function writeTopology(name: string, input: readonly number[], layers: readonly LayerSpec[]): unknown {
  const config = layers.map((layer, position) => {
    const options = Object.fromEntries(
      OPTIONS[layer.type].flatMap((option) => {
        const value = (layer as unknown as Readonly<Record<string, unknown>>)[option];
        return value === undefined ? [] : [[snakeCase(option), squared(option, value)]];
      }),
    );
    const first = position === 0 ? { batch_input_shape: [null, ...input], dtype: "float32" } : {};
    return { class_name: CLASSES[layer.type], config: { name: layer.name, trainable: true, ...first, ...options } };
  });
  return {
    keras_version: "2.15.0",
    backend: "tensorflow",
    class_name: "Sequential",
    config: { name, layers: config },
  };
}

/** Keras writes both extents. */
function squared(option: string, value: unknown): unknown {
  return ["kernelSize", "strides", "poolSize"].includes(option) && typeof value === "number" ? [value, value] : value;
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
