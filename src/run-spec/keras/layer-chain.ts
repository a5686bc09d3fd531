/**
 * The order of a topology's layers: as listed in a Sequential model, along the graph from its output back to its input in
 * a Functional one. Keras keeps that graph by reference: a layer has one node per call, a node names the tensors that it
 * takes as [layer, node, tensor].
 */
import { z } from "zod";
import type { KnowledgeNetError } from "../../errors/index.ts";

export type Refuse = (rule: string, value: string, remedy: string) => KnowledgeNetError;

export const kerasLayerSchema = z.looseObject({
  class_name: z.string(),
  config: z.looseObject({ name: z.string().optional() }),
  module: z.string().nullish(),
  registered_name: z.string().nullish(),
  inbound_nodes: z.array(z.unknown()).nullish(),
});
export type KerasLayer = z.infer<typeof kerasLayerSchema>;

const modelSchema = z.looseObject({
  class_name: z.string(),
  config: z.union([
    z.array(kerasLayerSchema).transform((layers) => ({ layers })),
    z.looseObject({ layers: z.array(kerasLayerSchema) }),
  ]),
});

export interface LayerChain {
  readonly layers: readonly KerasLayer[];
  /** Names of layers that the output does not depend on. */
  readonly unused: readonly string[];
  /** Shape of a batch of inputs, where the model has it beside its layers. */
  readonly inputShape: unknown;
}

const REMEDY = "save it with model.save (tfjs) or model.to_json (Keras)";

/** @throws KnowledgeNetError KN_CONFIG for a topology that is not one chain from one input to one output. */
export function layerChain(topology: unknown, refuse: Refuse): LayerChain {
  const wrapped = z.looseObject({ model_config: z.looseObject({}) }).safeParse(topology);
  const parsed = modelSchema.safeParse(wrapped.success ? wrapped.data.model_config : topology);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.join(".") ?? "";
    throw refuse(
      "it must hold the topology of a Sequential or Functional model",
      `${place === "" ? "" : `${place}: `}${issue?.message ?? "something else"}`,
      REMEDY,
    );
  }
  const { class_name: className, config } = parsed.data;
  if (className === "Sequential") {
    return {
      layers: config.layers,
      unused: [],
      inputShape: (config as { build_input_shape?: unknown }).build_input_shape,
    };
  }
  if (className === "Functional" || className === "Model") return { ...followGraph(config, refuse), inputShape: null };
  throw refuse("it must hold a Sequential or Functional model", className, REMEDY);
}

function followGraph(
  config: { readonly layers: readonly KerasLayer[]; readonly input_layers?: unknown; readonly output_layers?: unknown },
  refuse: Refuse,
): Pick<LayerChain, "layers" | "unused"> {
  const byName = new Map(config.layers.map((layer) => [layer.config.name, layer]));
  const [inputs, outputs] = [referencesIn(config.input_layers), referencesIn(config.output_layers)];
  for (const [what, references] of [
    ["input", inputs],
    ["output", outputs],
  ] as const) {
    if (references.length === 1) continue;
    const named = references.map(({ layer }) => layer).join(", ");
    throw refuse(`a model must have one ${what}`, named === "" ? "none" : named, `save a model of one ${what}`);
  }
  const path: KerasLayer[] = [];
  for (let at = outputs[0]; at !== undefined; ) {
    const layer = byName.get(at.layer);
    if (layer === undefined) throw refuse("its graph must name layers that it holds", at.layer, REMEDY);
    if (path.includes(layer)) throw refuse("a layer must be used once", at.layer, "only a chain of layers can be cut");
    path.unshift(layer);
    at = layer.class_name === "InputLayer" ? undefined : inputOf(layer, at, refuse);
  }
  return {
    layers: path,
    unused: config.layers.filter((layer) => !path.includes(layer)).flatMap(({ config: { name } }) => name ?? []),
  };
}

/** A tensor by the call that makes it. */
interface TensorReference {
  readonly layer: string;
  readonly node: number;
  readonly tensor: number;
  /** Options of the call that takes it (Keras 2). */
  readonly options: Readonly<Record<string, unknown>>;
}

const referenceSchema = z
  .tuple([
    z.string(),
    z.int().min(0),
    z.int().min(0),
    z
      .record(z.string(), z.unknown())
      .nullish()
      .transform((options) => options ?? {}),
  ])
  .or(z.tuple([z.string(), z.int().min(0), z.int().min(0)]).transform((of) => [...of, {}] as const))
  .transform(([layer, node, tensor, options]): TensorReference => ({ layer, node, tensor, options }));

/** Every reference in `value`, at any depth: [layer, node, tensor, options], and lists, maps and objects of such. */
function referencesIn(value: unknown): TensorReference[] {
  const own = referenceSchema.safeParse(value);
  if (own.success) return [own.data];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(referencesIn) : [];
}

/** The one tensor that a layer takes in the call that makes the tensor `at`. */
function inputOf(layer: KerasLayer, at: TensorReference, refuse: Refuse): TensorReference {
  const name = at.layer;
  const { references, options } = readNode(layer.inbound_nodes?.[at.node]);
  const [input, ...others] = references;
  if (input === undefined || others.length > 0 || at.tensor !== 0) {
    const taken = references.map((each) => each.layer).join(", ");
    throw refuse(
      "the layers must be a chain",
      `${name} takes ${taken || "nothing"}`,
      "only a chain of layers can be cut",
    );
  }
  for (const [option, value] of Object.entries({ ...options, ...input.options })) {
    // `training: true` leaves dropout and the batch's statistics on in inference.
    if (value === null || (option === "training" && value === false)) continue;
    throw refuse(`layer ${name} must be called without ${option}`, JSON.stringify(value), "build the model without it");
  }
  return input;
}

const keras3NodeSchema = z.looseObject({ args: z.array(z.unknown()), kwargs: z.record(z.string(), z.unknown()) });

/** Keras 3: {args, kwargs}, tensors among the first only. Keras 2: references, each with the call's options. */
function readNode(node: unknown): Pick<TensorReference, "options"> & { readonly references: TensorReference[] } {
  const keras3 = keras3NodeSchema.safeParse(node);
  if (!keras3.success) return { references: referencesIn(node), options: {} };
  const { args, kwargs } = keras3.data;
  const plain = args.filter((each) => referencesIn(each).length === 0);
  return { references: referencesIn(args), options: { ...kwargs, ...(plain.length > 0 ? { arguments: plain } : {}) } };
}
