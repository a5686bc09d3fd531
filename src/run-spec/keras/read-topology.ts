/** A Keras topology to the layers of a spec. */
import { z } from "zod";
import { KnowledgeNetError } from "../../errors/index.ts";
import { measureLayers } from "../measure-model.ts";
import { type LayerSpec, type LayerType, layerSpecSchema, LAYER_TYPES } from "../model-spec.ts";
import { type KerasLayer, kerasLayerSchema, layerChain, type Refuse } from "./layer-chain.ts";
import { LAYER_CLASSES, type LayerClass, snakeCase } from "./layer-classes.ts";

export interface ReadTopology {
  /** Shape of one sample. */
  readonly input: readonly number[];
  readonly layers: readonly LayerSpec[];
  /** Shape of one output sample: [classes]. */
  readonly output: readonly number[];
  /** Layers of the file by name, to their names in the spec. */
  readonly names: ReadonlyMap<string, string>;
  /** Layers of the file that its output does not depend on. */
  readonly unused: readonly string[];
}

/** Options that every layer may have: without influence, or read elsewhere. */
const COMMON_OPTIONS = ["name", "trainable", "dtype", "autocast", "batch_input_shape", "batch_shape"];
const TRAINING_OPTIONS = ["activity_regularizer"];
/** Layers whose `activation` is a layer of its own in a spec. */
const ACTIVATED: readonly LayerType[] = ["conv2d", "depthwise_conv2d", "dense"];
/** Options that Keras itself writes as null. */
const NULLABLE = ["strides", "max_value"];
/** Precisions of computation; weights are read, and everything is computed, in float32. */
const FLOAT_POLICY = /^(mixed_)?b?float(16|32|64)$/;

/**
 * @param file its name, for errors.
 * @throws KnowledgeNetError KN_CONFIG that names the layer, its option and the value; KN_SHAPE where layers do not fit.
 */
export function readTopology(topology: unknown, file: string): ReadTopology {
  const refuse: Refuse = (rule, value, remedy) =>
    new KnowledgeNetError("KN_CONFIG", { attempt: `import ${file}`, rule, value, remedy });
  const chain = layerChain(topology, refuse);
  const input = readInputShape(chain.layers[0], chain.inputShape, refuse);
  const named = chain.layers.map((layer, position) => ({ layer, name: layer.config.name ?? `layer${position}` }));
  const twice = named.find(({ name }, position) => named.findIndex((each) => each.name === name) < position);
  if (twice !== undefined) throw refuse("the names of its layers must be unique", twice.name, "correct the file");
  const spec = specWriter(input, namesFor(named.map(({ name }) => name)), refuse);
  for (const { layer, name } of named) spec.add(layer, name);
  if (spec.layers.length === 0) throw refuse("it must hold layers", "none", "save a model that was built");
  return { input, layers: spec.layers, output: spec.shape(), names: spec.names, unused: chain.unused };
}

/** Shape of one sample, by the first layer. */
function readInputShape(first: KerasLayer | undefined, beside: unknown, refuse: Refuse): number[] {
  const batch = first?.config.batch_input_shape ?? first?.config.batch_shape ?? beside;
  const shape = Array.isArray(batch) ? batch.slice(1) : undefined;
  const parsed = z.array(z.int().positive()).min(1).max(4).safeParse(shape);
  if (parsed.success) return parsed.data;
  throw refuse(
    "its input must have a fixed shape of 1 to 4 extents",
    shape === undefined ? "none" : JSON.stringify(shape),
    "build the model with an Input of that shape before it is saved",
  );
}

/** Adds Keras layers one by one; tracks the shape behind them, and a softmax at the end. */
function specWriter(input: readonly number[], nameOf: (wanted: string) => string, refuse: Refuse) {
  const layers: LayerSpec[] = [];
  const names = new Map<string, string>();
  let shape: readonly number[] = input;
  let softmax: string | undefined;

  const push = (layer: LayerSpec): void => {
    if (softmax !== undefined) {
      // A spec's network ends with logits. Dropout is the identity in inference.
      if (layer.type === "dropout") return;
      throw refuse(`softmax must stand at the end`, `softmax of ${softmax}, before ${layer.name}`, "use another model");
    }
    shape = measureLayers({ input: [...shape], layers: [layer] })[0]?.outputShape ?? shape;
    layers.push(layer);
  };

  /** A function by its name, or a layer as a value. */
  const addActivation = (activation: unknown, file: string, name: () => string): void => {
    const asLayer = kerasLayerSchema.safeParse(activation);
    const known = ["ReLU", "Softmax", "Activation"];
    if (asLayer.success && known.includes(asLayer.data.class_name)) {
      addLayer(asLayer.data, file, name);
      return;
    }
    if (activation === undefined || activation === null || activation === "linear") return;
    if (activation === "softmax" && softmax === undefined) softmax = file;
    else if (activation === "relu") push({ type: "re_lu", name: name() });
    else if (activation === "relu6") push({ type: "re_lu", name: name(), maxValue: 6 });
    else {
      const rule = `the activation of layer ${file} must be relu, relu6, or softmax at the end`;
      throw refuse(rule, describeActivation(activation), "use another model");
    }
  };

  const addLayer = (layer: KerasLayer, file: string, name: () => string): void => {
    const { class_name: className, config } = layer;
    checkBuiltIn(layer, file, refuse);
    const check = (known: LayerClass): void => {
      checkOptions(layer, file, known, refuse);
    };
    if (className === "InputLayer") {
      check({ className, options: ["optional"], training: [], fixed: { sparse: [false], ragged: [false] } });
      return;
    }
    if (className === "Activation") {
      check({ className, options: ["activation"], training: [], fixed: {} });
      addActivation(config.activation, file, name);
      return;
    }
    if (className === "Softmax") {
      check({ className, options: ["axis"], training: [], fixed: {} });
      checkLastAxis(config.axis, shape, file, refuse);
      addActivation("softmax", file, name);
      return;
    }
    const type = LAYER_TYPES.find((each) => LAYER_CLASSES[each].className === className);
    if (type === undefined) {
      const known = Object.values(LAYER_CLASSES).map((each) => each.className);
      throw refuse(`layer ${file} must be of a known type (${known.join(", ")})`, className, "use such layers only");
    }
    const isActivated = ACTIVATED.includes(type);
    const own: readonly string[] = isActivated ? ["activation"] : (OWN_OPTIONS[type] ?? []);
    check({ ...LAYER_CLASSES[type], options: [...LAYER_CLASSES[type].options, ...own] });
    if (type === "batch_normalization") checkLastAxis(config.axis, shape, file, refuse);
    // Flattening a flat sample changes nothing, and tfjs refuses to.
    if (type === "flatten" && shape.length === 1) return;
    if (type === "global_average_pooling2d" && config.keepdims === true) {
      // The same mean as a pool of the whole image, which keeps height and width.
      const [height = 1, width = 1] = shape;
      push({ type: "average_pooling2d", name: name(), poolSize: [height, width] });
      return;
    }
    const safe = name();
    push(readLayer(type, safe, file, config, refuse));
    if (!names.has(file)) names.set(file, safe);
    if (isActivated) addActivation(config.activation, file, () => nameOf(`${safe}_active`));
  };

  return {
    layers,
    names,
    shape: () => shape,
    add(layer: KerasLayer, file: string) {
      addLayer(layer, file, () => nameOf(file));
    },
  };
}

/** Options that are read, but have no equal in a spec. */
const OWN_OPTIONS: Readonly<Partial<Record<LayerType, readonly string[]>>> = {
  batch_normalization: ["axis"],
  global_average_pooling2d: ["keepdims"],
};

function readLayer(
  type: LayerType,
  name: string,
  file: string,
  config: KerasLayer["config"],
  refuse: Refuse,
): LayerSpec {
  const options = Object.fromEntries(
    LAYER_CLASSES[type].options.flatMap((option) => {
      const key = snakeCase(option);
      const value = config[key];
      return value === undefined || (value === null && NULLABLE.includes(key)) ? [] : [[option, value]];
    }),
  );
  const layer = layerSpecSchema.safeParse({ type, name, ...options });
  if (layer.success) return layer.data;
  const issue = layer.error.issues[0];
  const [option = ""] = issue?.path ?? [];
  throw refuse(
    `${snakeCase(String(option))} of layer ${file}: ${issue?.message}`,
    JSON.stringify(options[String(option)]) ?? "absent",
    "use another model",
  );
}

/** A class of the user's own may bear the name of one of Keras's. */
function checkBuiltIn(
  { class_name: className, module, registered_name: registered }: KerasLayer,
  file: string,
  refuse: Refuse,
) {
  const isKeras = /^(tf_)?keras\b|^tensorflow\b/.test(module ?? "keras");
  if (isKeras && (registered ?? className) === className) return;
  throw refuse(`layer ${file} must be Keras's own`, registered ?? `${module}.${className}`, "use Keras's layers only");
}

/** Each option is taken over, without influence on inference, or has a value that a spec's layer has too. */
function checkOptions(
  { class_name: className, config }: KerasLayer,
  file: string,
  { options, training, fixed }: LayerClass,
  refuse: Refuse,
): void {
  const ignored = [...COMMON_OPTIONS, ...TRAINING_OPTIONS, ...training, ...options.map(snakeCase)];
  for (const [option, value] of Object.entries(config)) {
    if (value === null || value === undefined || ignored.includes(option)) continue;
    const allowed = fixed[option] ?? [];
    if (allowed.includes(Array.isArray(value) ? JSON.stringify(value) : value)) continue;
    throw refuse(
      `${option} of layer ${file} (${className}) is not supported`,
      JSON.stringify(value),
      allowed.length === 0 ? "use another model" : `only ${String(allowed[0])} is`,
    );
  }
  if (className === "InputLayer") return;
  const policy = z
    .union([
      z.string(),
      z.looseObject({ config: z.looseObject({ name: z.string() }) }).transform((of) => of.config.name),
    ])
    .safeParse(config.dtype ?? "float32");
  if (policy.success && FLOAT_POLICY.test(policy.data)) return;
  throw refuse(
    `dtype of layer ${file} (${className}) must be a float`,
    policy.data ?? JSON.stringify(config.dtype),
    "save the model without quantisation",
  );
}

/** @param axis of a batch, one or a list of one. */
function checkLastAxis(axis: unknown, shape: readonly number[], file: string, refuse: Refuse): void {
  const only: unknown = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (only === undefined || only === -1 || only === shape.length) return;
  throw refuse(`axis of layer ${file} must be the last one`, JSON.stringify(axis), "use channels_last");
}

/** LeakyReLU for a layer, the name for a function. */
function describeActivation(activation: unknown): string {
  const parsed = kerasLayerSchema.safeParse(activation);
  return parsed.success
    ? parsed.data.class_name
    : typeof activation === "string"
      ? activation
      : JSON.stringify(activation);
}

/** Length that leaves room for a suffix within the 64 characters of a spec's names. */
const NAME_LENGTH = 56;

/**
 * Names of a spec for any names: unique, of letters, digits, `_` and `-`. A name that is one already stays as it is.
 */
function namesFor(given: readonly string[]): (wanted: string) => string {
  const isName = (name: string): boolean => /^[A-Za-z0-9_-]+$/.test(name) && name.length <= NAME_LENGTH;
  const reserved = new Set(given.filter(isName));
  const taken = new Set<string>();
  return (wanted) => {
    const safe = wanted.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, NAME_LENGTH) || "layer";
    let name = safe;
    for (let count = 2; taken.has(name) || (name !== wanted && reserved.has(name)); count += 1)
      name = `${safe}_${count}`;
    taken.add(name);
    return name;
  };
}
