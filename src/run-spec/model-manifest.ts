/**
 * The facts of a release that a client or a replica needs: its network, its inputs and outputs, its origin. The weights are
 * blobs beside it, one for each block of the network (`layersOfBlocks`). Pure.
 */
import { z } from "zod";
import { modelSpecSchema, nameSchema } from "./model-spec.ts";

/** Data types of the Open Inference Protocol that a model of ours has at its inputs and outputs. */
const datatype = z.enum(["FP32", "UINT8", "BYTES"]);

/** -1 stands for any extent: the number of samples. */
const tensorSchema = z.strictObject({ name: nameSchema, datatype, shape: z.array(z.int().min(-1)) });
export type TensorMetadata = z.infer<typeof tensorSchema>;

const count = z.int().min(0);

export const modelManifestSchema = z.strictObject({
  format: z.literal(1),
  model: nameSchema,
  /** The network, cut as it was trained. */
  network: modelSpecSchema,
  inputs: z.array(tensorSchema).min(1),
  outputs: z.array(tensorSchema).min(1),
  /** How an image file becomes an input; absent: the network takes no images. Scaling is a layer of the network. */
  image: z
    .strictObject({
      height: z.int().positive(),
      width: z.int().positive(),
      channels: z.union([z.literal(1), z.literal(3)]),
      /** How an image of another size is fitted. */
      resize: z.literal("bilinear"),
    })
    .optional(),
  /** Name of each class, in the order of the logits. */
  classNames: z.array(z.string()),
  origin: z.strictObject({
    run: z.string(),
    kind: z.string(),
    attempt: count,
    /** The training step of the checkpoint. */
    generation: count,
    phase: z.string(),
    /** Updates that each block's weights have, and training batches that they lack. */
    blocks: z.array(z.strictObject({ actor: z.string(), applied: count, skipped: count.optional() })),
    softwareVersion: z.string(),
  }),
  /** The last evaluation of the run up to this generation; absent: none. */
  evaluation: z.strictObject({ accuracy: z.number(), samples: count, step: count }).optional(),
  createdAt: z.string(),
});
export type ModelManifest = z.infer<typeof modelManifestSchema>;

/** Names of the inputs and outputs of every model. */
export const MODEL_INPUT = "input";
export const MODEL_OUTPUTS = { logits: "logits", probabilities: "probabilities", class: "class" } as const;

/** The inputs and outputs of a network: f32 samples in, logits, probabilities and class name out. */
export function signatureOf({ input, classes }: { readonly input: readonly number[]; readonly classes: number }): {
  readonly inputs: TensorMetadata[];
  readonly outputs: TensorMetadata[];
} {
  return {
    inputs: [{ name: MODEL_INPUT, datatype: "FP32", shape: [-1, ...input] }],
    outputs: [
      { name: MODEL_OUTPUTS.class, datatype: "BYTES", shape: [-1] },
      { name: MODEL_OUTPUTS.probabilities, datatype: "FP32", shape: [-1, classes] },
      { name: MODEL_OUTPUTS.logits, datatype: "FP32", shape: [-1, classes] },
    ],
  };
}
