/** Shapes, parameters and multiply-accumulates of a model, from its spec alone: arithmetic, no tensor library. */
import { KnowledgeNetError } from "../errors/index.ts";
import { layersOfBlocks, type LayerSpec, type ModelSpec } from "./model-spec.ts";

export interface LayerMeasure {
  readonly name: string;
  readonly type: LayerSpec["type"];
  /** Shape of one sample of its output. */
  readonly outputShape: readonly number[];
  /** Shape of each weight, by Keras's name; batch norm's moving statistics too. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
  /** Values in all its weights. */
  readonly parameters: number;
  /** Multiply-accumulates of one sample's forward: kernels only. */
  readonly macs: number;
}

/** @throws KnowledgeNetError KN_SHAPE where a layer does not fit the one before. */
export function measureLayers(model: Pick<ModelSpec, "input" | "layers">): LayerMeasure[] {
  let shape: readonly number[] = model.input;
  return model.layers.map((layer) => {
    const measured = measureLayer(layer, shape);
    shape = measured.outputShape;
    return measured;
  });
}

export interface SectionMeasure {
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly layers: readonly string[];
  readonly parameters: number;
  readonly macs: number;
}

/** The model divided at its cuts. @throws KnowledgeNetError KN_SHAPE as `measureLayers`. */
export function measureSections(model: ModelSpec): SectionMeasure[] {
  const measures = measureLayers(model);
  let from = 0;
  let inputShape: readonly number[] = model.input;
  return layersOfBlocks(model).map((layers) => {
    const own = measures.slice(from, from + layers.length);
    const section = {
      inputShape,
      outputShape: own.at(-1)?.outputShape ?? inputShape,
      layers: layers.map(({ name }) => name),
      parameters: own.reduce((sum, { parameters }) => sum + parameters, 0),
      macs: own.reduce((sum, { macs }) => sum + macs, 0),
    };
    from += layers.length;
    inputShape = section.outputShape;
    return section;
  });
}

function measureLayer(layer: LayerSpec, input: readonly number[]): LayerMeasure {
  const { name, type } = layer;
  const measured = (outputShape: readonly number[], weights: LayerMeasure["weights"] = {}, macs = 0): LayerMeasure => ({
    name,
    type,
    outputShape,
    weights,
    parameters: Object.values(weights).reduce((sum, shape) => sum + product(shape), 0),
    macs,
  });
  const withBias = (weights: LayerMeasure["weights"], outputs: number): LayerMeasure["weights"] =>
    "useBias" in layer && layer.useBias === false ? weights : { ...weights, bias: [outputs] };
  switch (layer.type) {
    case "rescaling":
    case "re_lu":
    case "dropout":
      return measured(input);
    case "batch_normalization": {
      const shape = [input.at(-1) ?? 1];
      return measured(input, { gamma: shape, beta: shape, moving_mean: shape, moving_variance: shape });
    }
    case "flatten":
      return measured([product(input)]);
    case "global_average_pooling2d":
      return measured([image(layer, input)[2]]);
    case "max_pooling2d":
    case "average_pooling2d": {
      const [height, width, channels] = image(layer, input);
      const size = pair(layer.poolSize ?? 2);
      const strides = layer.strides === undefined ? size : pair(layer.strides);
      const [down, across] = extents(layer, [height, width], size, strides);
      return measured([down, across, channels]);
    }
    case "conv2d": {
      const [height, width, channels] = image(layer, input);
      const size = pair(layer.kernelSize);
      const [down, across] = extents(layer, [height, width], size, pair(layer.strides ?? 1));
      const kernel = [...size, channels, layer.filters];
      const weights = withBias({ kernel }, layer.filters);
      return measured([down, across, layer.filters], weights, down * across * product(kernel));
    }
    case "depthwise_conv2d": {
      const [height, width, channels] = image(layer, input);
      const size = pair(layer.kernelSize);
      const [down, across] = extents(layer, [height, width], size, pair(layer.strides ?? 1));
      const kernel = [...size, channels, layer.depthMultiplier ?? 1];
      const outputs = channels * (layer.depthMultiplier ?? 1);
      const weights = withBias({ depthwise_kernel: kernel }, outputs);
      return measured([down, across, outputs], weights, down * across * product(kernel));
    }
    case "dense": {
      const kernel = [input.at(-1) ?? 1, layer.units];
      const weights = withBias({ kernel }, layer.units);
      return measured([...input.slice(0, -1), layer.units], weights, product(input.slice(0, -1)) * product(kernel));
    }
  }
}

function image({ name, type }: LayerSpec, shape: readonly number[]): [number, number, number] {
  const [height, width, channels] = shape;
  if (shape.length === 3 && height !== undefined && width !== undefined && channels !== undefined) {
    return [height, width, channels];
  }
  throw refusal(name, type, shape, "it needs [height, width, channels]");
}

function extents(
  layer: LayerSpec & { readonly padding?: "valid" | "same" | undefined },
  input: readonly [number, number],
  size: readonly [number, number],
  strides: readonly [number, number],
): [number, number] {
  const [down, across] = [0, 1].map((axis) => {
    const [extent = 0, kernel = 1, stride = 1] = [input[axis], size[axis], strides[axis]];
    return layer.padding === "same" ? Math.ceil(extent / stride) : Math.floor((extent - kernel) / stride) + 1;
  });
  if ((down ?? 0) >= 1 && (across ?? 0) >= 1) return [down ?? 0, across ?? 0];
  throw refusal(layer.name, layer.type, input, "its output must have at least one element");
}

function pair(size: number | readonly [number, number]): [number, number] {
  return typeof size === "number" ? [size, size] : [size[0], size[1]];
}

function product(extents: readonly number[]): number {
  return extents.reduce((whole, extent) => whole * extent, 1);
}

function refusal(name: string, type: string, shape: readonly number[], rule: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_SHAPE", {
    attempt: `put layer ${name} (${type}) after [${shape.join(", ")}]`,
    rule,
    value: `[${shape.join(", ")}]`,
    remedy: "correct the layers, or use padding `same`",
  });
}
