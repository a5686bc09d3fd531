/** Kernels that forward and backward of the layers in a spec may call, beyond those that every backend has. */
export const TRAINING_KERNELS = [
  "Conv2D",
  "Conv2DBackpropFilter",
  "Conv2DBackpropInput",
  "DepthwiseConv2dNative",
  "DepthwiseConv2dNativeBackpropFilter",
  "DepthwiseConv2dNativeBackpropInput",
  "BatchMatMul",
  "MaxPool",
  "MaxPoolGrad",
  "AvgPool",
  "AvgPoolGrad",
  "FusedBatchNorm",
  "Softmax",
  "OneHot",
  "SquaredDifference",
] as const;
