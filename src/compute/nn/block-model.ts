/** The layers model of one block, from the spec's layers. */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { LayerSpec } from "../../run-spec/index.ts";
import { createLayer } from "./layers.ts";

export interface BlockModelOptions {
  /** Shape of one sample at the block's input. */
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
  /** The run's seed: equal seeds give equal weights, wherever the network is cut. */
  readonly seed: number;
}

/** @throws KnowledgeNetError KN_SHAPE when a layer does not fit the one before. */
export function createBlockModel({ inputShape, layers, seed }: BlockModelOptions): tf.LayersModel {
  const input = tf.input({ shape: [...inputShape] });
  let output = input;
  for (const spec of layers) {
    const layer = createLayer(spec, seed);
    const attempt = `put layer ${spec.name} (${spec.type}) after [${output.shape.slice(1).join(", ")}]`;
    try {
      output = layer.apply(output) as tf.SymbolicTensor;
    } catch (error) {
      throw new KnowledgeNetError("KN_SHAPE", {
        attempt,
        rule: "a layer must fit the output of the one before",
        remedy: error instanceof Error ? error.message : String(error),
        cause: error,
      });
    }
    // tfjs lets a kernel that is larger than its input pass, with an extent of zero or below.
    const shape = output.shape.slice(1);
    if (shape.some((extent) => extent !== null && extent < 1)) {
      throw new KnowledgeNetError("KN_SHAPE", {
        attempt,
        rule: "its output must have at least one element",
        value: `[${shape.join(", ")}]`,
        remedy: "use a smaller kernel or pool, or padding `same`",
      });
    }
  }
  return tf.model({ inputs: input, outputs: output });
}
