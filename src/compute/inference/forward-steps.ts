/**
 * The layers of a model as functions, for inference. A call of `LayersModel.predict` spends about a third of its
 * time for one row in tfjs itself; these call the layers directly, and for batch norm and dense layers the kernel. Same
 * kernels, same arguments, same bits. Measured: docs/results/serving.md.
 */
import * as tf from "@tensorflow/tfjs";

export type ForwardStep = (x: tf.Tensor) => tf.Tensor;

/** Fields of layers that tfjs does not export. */
interface BatchNorm extends tf.layers.Layer {
  readonly epsilon: number;
  readonly gamma: tf.LayerVariable;
  readonly beta: tf.LayerVariable;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

interface Dense extends tf.layers.Layer {
  readonly kernel: tf.LayerVariable;
  readonly bias: tf.LayerVariable | null;
}

/** @param model a chain of layers; steps read its weights at each call. */
export function forwardSteps(model: tf.LayersModel): readonly ForwardStep[] {
  return model.layers
    .filter((layer) => layer.getClassName() !== "InputLayer")
    .map(
      (layer) => batchNormStep(layer) ?? denseStep(layer) ?? ((x) => layer.call(x, { training: false }) as tf.Tensor),
    );
}

/** A spec's layers have their channels last, a scale and an offset. */
function batchNormStep(layer: tf.layers.Layer): ForwardStep | undefined {
  if (layer.getClassName() !== "BatchNormalization") return undefined;
  const { gamma, beta, movingMean, movingVariance, epsilon } = layer as BatchNorm;
  return (x) => {
    const weights = {
      mean: movingMean.read(),
      variance: movingVariance.read(),
      scale: gamma.read(),
      offset: beta.read(),
    };
    // [n, ..., channels] -> [rows, 1, 1, channels]: which axis a sample lies on makes no difference
    const rows = x.rank === 4 ? x : x.reshape([-1, 1, 1, x.shape.at(-1) ?? 1]);
    const attributes = { varianceEpsilon: epsilon };
    const y = tf.engine().runKernel<tf.Tensor>("FusedBatchNorm", { x: rows, ...weights }, attributes);
    return x.rank === 4 ? y : y.reshape(x.shape);
  };
}

/** On native alone: other backends have no kernel for matrices of rank 2. A spec's dense layers have no activation. */
function denseStep(layer: tf.layers.Layer): ForwardStep | undefined {
  if (layer.getClassName() !== "Dense" || tf.getBackend() !== "tensorflow") return undefined;
  const { kernel, bias } = layer as Dense;
  return (x) => {
    if (x.rank !== 2) return layer.call(x, { training: false }) as tf.Tensor;
    const sides = { a: x, b: kernel.read() };
    const y = tf.engine().runKernel<tf.Tensor>("BatchMatMul", sides, { transposeA: false, transposeB: false });
    return bias === null ? y : y.add(bias.read());
  };
}
