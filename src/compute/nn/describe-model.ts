/** Shapes, parameters and multiply-accumulates of each slice of a model after its cuts. */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import { layersOfBlocks, type ModelSpec } from "../../run-spec/index.ts";
import { createBlockModel } from "./block-model.ts";

export interface SliceDescription {
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly layers: readonly string[];
  readonly parameters: number;
  /** Multiply-accumulates of one sample's forward, convolutions and matrices only. */
  readonly macs: number;
}

/** @throws KnowledgeNetError KN_SHAPE when layers do not fit, or the last one does not give one logit per class. */
export function describeModel(model: ModelSpec): SliceDescription[] {
  let inputShape: readonly number[] = model.input;
  const slices = layersOfBlocks(model).map((layers) => {
    const built = createBlockModel({ inputShape, layers, seed: 0 });
    const outputShape = (built.outputShape as number[]).slice(1);
    const description: SliceDescription = {
      inputShape,
      outputShape,
      layers: layers.map(({ name }) => name),
      parameters: built.countParams(),
      macs: built.layers.reduce((sum, layer) => sum + macsOf(layer), 0),
    };
    built.dispose();
    inputShape = outputShape;
    return description;
  });
  if (inputShape.length !== 1 || inputShape[0] !== model.classes) {
    throw new KnowledgeNetError("KN_SHAPE", {
      attempt: "build the model",
      rule: `the last layer must give one logit per class, [${model.classes}]`,
      value: `[${inputShape.join(", ")}]`,
      remedy: "correct `model.classes` or the last layer",
    });
  }
  return slices;
}

/** Each kernel element works once per output position. */
function macsOf(layer: tf.layers.Layer): number {
  const kernel = layer.trainableWeights.find((weight) => weight.shape.length >= 2);
  if (kernel === undefined) return 0;
  const output = (layer.outputShape as number[]).slice(1);
  const positions = output.slice(0, -1).reduce((product, extent) => product * extent, 1);
  return positions * kernel.shape.reduce<number>((product, extent) => product * (extent ?? 1), 1);
}
