/** Shapes, parameters and multiply-accumulates of a model, from its spec alone: arithmetic, no tensor library. */
import { KnowledgeNetError } from "../errors/index.ts";
import { layersOfBlocks, type LayerSpec, type ModelSpec } from "./model-spec.ts";

export interface LayerMeasure {
  readonly name: string;
  readonly type: LayerSpec["type"];
  /** Shape of one sample of its output. */
  readonly outputShape: readonly number[];
  /** All its weights, batch norm's moving statistics too. */
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
  const still = (outputShape: readonly number[], parameters = 0): LayerMeasure => ({
    name,
    type,
    outputShape,
    parameters,
    macs: 0,
  });
  switch (layer.type) {
    case "rescaling":
    case "re_lu":
    case "dropout":
      return still(input);
    case "batch_normalization":
      return still(input, 4 * (input.at(-1) ?? 1)); // gamma, beta, moving mean, moving variance
    case "flatten":
      return still([product(input)]);
    case "global_average_pooling2d":
      return still([image(layer, input)[2]]);
    case "max_pooling2d":
    case "average_pooling2d": {
      const [height, width, channels] = image(layer, input);
      const size = pair(layer.poolSize ?? 2);
      const strides = layer.strides === undefined ? size : pair(layer.strides);
      const [down, across] = extents(layer, [height, width], size, strides);
      return still([down, across, channels]);
    }
    case "conv2d": {
      const [height, width, channels] = image(layer, input);
      const size = pair(layer.kernelSize);
      const [down, across] = extents(layer, [height, width], size, pair(layer.strides ?? 1));
      const kernel = size[0] * size[1] * channels * layer.filters;
      const parameters = kernel + (layer.useBias === false ? 0 : layer.filters);
      return { name, type, outputShape: [down, across, layer.filters], parameters, macs: down * across * kernel };
    }
    case "depthwise_conv2d": {
      const [height, width, channels] = image(layer, input);
      const size = pair(layer.kernelSize);
      const [down, across] = extents(layer, [height, width], size, pair(layer.strides ?? 1));
      const outputs = channels * (layer.depthMultiplier ?? 1);
      const kernel = size[0] * size[1] * outputs;
      const parameters = kernel + (layer.useBias === false ? 0 : outputs);
      return { name, type, outputShape: [down, across, outputs], parameters, macs: down * across * kernel };
    }
    case "dense": {
      const positions = product(input.slice(0, -1));
      const kernel = (input.at(-1) ?? 1) * layer.units;
      const parameters = kernel + (layer.useBias === false ? 0 : layer.units);
      return { name, type, outputShape: [...input.slice(0, -1), layer.units], parameters, macs: positions * kernel };
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
