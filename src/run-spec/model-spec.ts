/**
 * The network and where it is cut. A layer carries its Keras / tfjs class name and that class's own options, so that a
 * `model.json` can stand here later.
 */
import { z } from "zod";

export const LAYER_TYPES = [
  "rescaling",
  "conv2d",
  "depthwise_conv2d",
  "dense",
  "batch_normalization",
  "re_lu",
  "max_pooling2d",
  "average_pooling2d",
  "global_average_pooling2d",
  "flatten",
  "dropout",
] as const;
export type LayerType = (typeof LAYER_TYPES)[number];

/** Names become actor and tensor names: letters, digits, `_`, `-`. */
export const nameSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, '_' or '-'");

/** Options of each layer that a spec may set: those of tf.layers.* that shape the computation. */
const positive = z.int().positive();
const square = z.union([positive, z.tuple([positive, positive])]);
const padding = z.enum(["valid", "same"]);
/** No dilation: tfjs has no gradient for it, on any backend. */
const convolution = {
  kernelSize: square,
  strides: square.optional(),
  padding: padding.optional(),
  useBias: z.boolean().optional(),
};
const pooling = { poolSize: square.optional(), strides: square.optional(), padding: padding.optional() };

const OPTIONS = {
  rescaling: { scale: z.number(), offset: z.number().optional() },
  conv2d: { filters: positive, ...convolution },
  depthwise_conv2d: { depthMultiplier: positive.optional(), ...convolution },
  dense: { units: positive, useBias: z.boolean().optional() },
  batch_normalization: {
    momentum: z.number().min(0).lt(1).optional(),
    epsilon: z.number().positive().optional(),
  },
  re_lu: { maxValue: z.number().positive().optional() },
  max_pooling2d: pooling,
  average_pooling2d: pooling,
  global_average_pooling2d: {},
  flatten: {},
  dropout: { rate: z.number().min(0).lt(1) },
} as const satisfies Record<LayerType, z.ZodRawShape>;

function layerSchema<T extends LayerType>(type: T) {
  return z.strictObject({ type: z.literal(type), name: nameSchema, ...OPTIONS[type] });
}

export const layerSpecSchema = z.discriminatedUnion("type", [
  layerSchema("rescaling"),
  layerSchema("conv2d"),
  layerSchema("depthwise_conv2d"),
  layerSchema("dense"),
  layerSchema("batch_normalization"),
  layerSchema("re_lu"),
  layerSchema("max_pooling2d"),
  layerSchema("average_pooling2d"),
  layerSchema("global_average_pooling2d"),
  layerSchema("flatten"),
  layerSchema("dropout"),
]);
export type LayerSpec = z.infer<typeof layerSpecSchema>;

export const modelSpecSchema = z
  .strictObject({
    /** Shape of one sample: [height, width, channels], or [features]. */
    input: z.array(positive).min(1).max(4),
    /** Width of the last layer. */
    classes: z.int().min(2),
    layers: z.array(layerSpecSchema).min(1),
    /** Names of the layers after which the network is cut, in order. n cuts make n + 1 blocks. */
    cuts: z.array(nameSchema).default([]),
  })
  .superRefine((model, context) => {
    const names = model.layers.map((layer) => layer.name);
    names.forEach((name, index) => {
      if (names.indexOf(name) === index) return;
      context.addIssue({
        code: "custom",
        path: ["layers", index, "name"],
        message: "layer names must be unique",
        input: name,
      });
    });
    let last = -1;
    model.cuts.forEach((cut, index) => {
      const path = ["cuts", index];
      const position = names.indexOf(cut);
      if (position < 0) {
        context.addIssue({ code: "custom", path, message: `must name a layer (${names.join(", ")})`, input: cut });
      } else if (position <= last) {
        context.addIssue({ code: "custom", path, message: "cuts must follow the order of the layers", input: cut });
      } else if (position === names.length - 1) {
        context.addIssue({ code: "custom", path, message: "nothing would be left after the last layer", input: cut });
      }
      last = Math.max(last, position);
    });
  });
export type ModelSpec = z.infer<typeof modelSpecSchema>;

/** The layers of each block, in order: the model divided at its cuts. */
export function layersOfBlocks(model: ModelSpec): LayerSpec[][] {
  const blocks: LayerSpec[][] = [[]];
  for (const layer of model.layers) {
    blocks.at(-1)?.push(layer);
    if (model.cuts.includes(layer.name)) blocks.push([]);
  }
  return blocks;
}
