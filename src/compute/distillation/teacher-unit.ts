/** The mathematics of one section of a teacher: inference alone, with the moving statistics of batch norm. */
import * as tf from "@tensorflow/tfjs";
import type { LayerSpec } from "../../run-spec/index.ts";
import { createBlockModel, restoreWeights, toData, toTensor } from "../nn/index.ts";
import type { NamedTensorData, TensorData } from "../tensor-data.ts";

export interface TeacherUnitOptions {
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
  /** `weights/<layer>/<weight>`, those of other sections may be among them. */
  readonly weights: NamedTensorData;
}

export interface TeacherUnit {
  readonly parameters: number;
  readonly outputShape: readonly number[];
  /** [batch, ...input] -> [batch, ...output] */
  infer(input: TensorData): TensorData;
  /**
   * [height, width, channels] u8 -> probability of each class. The image is resized to the input's height and width;
   * for a flat input it must have as many samples as that.
   */
  classify(image: TensorData): number[];
  dispose(): void;
}

/**
 * @throws KnowledgeNetError KN_CHECKPOINT when a weight is missing or of another shape; KN_SHAPE when layers do not
 * fit.
 */
export function createTeacherUnit({ inputShape, layers, weights }: TeacherUnitOptions): TeacherUnit {
  const model = createBlockModel({ inputShape, layers, seed: 0 });
  try {
    restoreWeights(model, weights);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return {
    parameters: model.countParams(),
    outputShape: (model.outputShape as number[]).slice(1),
    infer(input) {
      const samples = toTensor(input);
      const output = tf.tidy(() => model.apply(samples, { training: false }) as tf.Tensor);
      try {
        return toData(output, "a teacher's output");
      } finally {
        tf.dispose([samples, output]);
      }
    },
    classify(image) {
      const probabilities = tf.tidy(() => {
        const [height, width] = inputShape;
        const pixels = toTensor(image) as tf.Tensor3D;
        const isFlat = height === undefined || width === undefined;
        const fitted = isFlat ? pixels : tf.image.resizeBilinear(pixels, [height, width]);
        // [height, width, channels] -> [1, ...input]
        const sample = fitted.reshape([1, ...inputShape]);
        return tf.softmax(model.apply(sample, { training: false }) as tf.Tensor2D);
      });
      try {
        return Array.from(probabilities.dataSync());
      } finally {
        probabilities.dispose();
      }
    },
    dispose() {
      model.dispose();
    },
  };
}
