/**
 * Neural networks as plain parts: layers from a spec, forward and backward as two separate acts, losses per sample, the
 * optimiser. Knows neither blocks nor sections; loads the tensor library.
 *
 * @example
 * const slice = createSlice(createBlockModel({ inputShape: [784], layers, seed: 1 }), { kind: "adam", learningRate:
 * 1e-3 }); const recording = slice.record([samples], step);
 * const { gradient } = softmaxCrossEntropy(recording.output, labels);
 * slice.update(recording, gradient, { learningRate: 1e-3, wantsInputGradient: false });
 */
export { batchNormLayer } from "./batch-norm.ts";
export { createBlockModel } from "./block-model.ts";
export { describeModel, type SliceDescription } from "./describe-model.ts";
export { kernelInitializer } from "./kernel-initializer.ts";
export { hintLoss } from "./losses/hint-loss.ts";
export { logitsLoss } from "./losses/logits-loss.ts";
export { softmaxCrossEntropy } from "./losses/softmax-cross-entropy.ts";
export { type LearningRateOptions, learningRateAt } from "./optimizer/index.ts";
export { deriveSeed } from "./seed.ts";
export { createSlice, type Recording, restoreWeights, type Slice, type SliceSnapshot } from "./slice.ts";
export { toData, toTensor } from "./tensors.ts";
export { createWeightAverage } from "./weight-average.ts";
