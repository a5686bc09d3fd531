/**
 * From sections to the whole student: one set of weights, each adapter folded into the layer after it. Both are linear,
 * so only the rounding changes: with y = x A + b the adapter and its norm, K y = (K A) x + K b.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { foldTarget, type LayerSpec } from "../../run-spec/index.ts";
import type { NamedTensorData, TensorData } from "../tensor-data.ts";

export interface StitchedSection {
  /** The student's own layers, without the adapter. */
  readonly layers: readonly LayerSpec[];
  /** The adapter at its end; empty: none. */
  readonly adapter: readonly LayerSpec[];
  /** A snapshot of the section. */
  readonly tensors: NamedTensorData;
}

/** As tfjs and Keras have it. */
const DEFAULT_EPSILON = 1e-3;

/**
 * @returns `weights/<layer>/<weight>` of the student alone. @throws KnowledgeNetError KN_CHECKPOINT when one is
 * missing.
 */
export function stitchSections(sections: readonly StitchedSection[]): NamedTensorData {
  const weights: Record<string, TensorData> = {};
  for (const { layers, tensors } of sections) {
    const names = new Set(layers.map(({ name }) => name));
    for (const [key, tensor] of Object.entries(tensors)) {
      const [kind, layer = ""] = key.split("/");
      if (kind === "weights" && names.has(layer)) weights[key] = tensor;
    }
  }
  sections.forEach(({ adapter, tensors }, index) => {
    const next = sections[index + 1]?.layers;
    if (adapter.length > 0 && next !== undefined) foldAdapter(adapter, tensors, next, weights);
  });
  return weights;
}

function foldAdapter(
  adapter: readonly LayerSpec[],
  tensors: NamedTensorData,
  next: readonly LayerSpec[],
  weights: Record<string, TensorData>,
): void {
  const target = foldTarget(next);
  const [linear, norm] = adapter;
  if (target === undefined || linear === undefined) throw missing("an adapter without a layer to fold it into");
  const read = (from: NamedTensorData, key: string): { shape: readonly number[]; values: Float32Array } => {
    const tensor = from[`weights/${key}`];
    if (tensor?.dtype !== "f32") throw missing(key);
    return tensor;
  };
  const { shape, values: mixing } = read(tensors, `${linear.name}/kernel`); // [..., own, teachers]
  const own = shape.at(-2) ?? 1;
  const teachers = shape.at(-1) ?? 1;
  const scale = new Float64Array(teachers).fill(1);
  const shift = new Float64Array(teachers);
  if (norm?.type === "batch_normalization") {
    const part = (name: string): Float32Array => read(tensors, `${norm.name}/${name}`).values;
    const [gamma, beta, mean, variance] = [part("gamma"), part("beta"), part("moving_mean"), part("moving_variance")];
    for (let channel = 0; channel < teachers; channel += 1) {
      scale[channel] = at(gamma, channel) / Math.sqrt(at(variance, channel) + (norm.epsilon ?? DEFAULT_EPSILON));
      shift[channel] = at(beta, channel) - at(mean, channel) * at(scale, channel);
    }
  }

  // [..., positions x teachers, outputs] -> [..., positions x own, outputs]
  const key = `${target.layer.name}/kernel`;
  const kernel = read(weights, key);
  const outputs = kernel.shape.at(-1) ?? 1;
  const positions = kernel.values.length / (teachers * outputs);
  const folded = new Float32Array(positions * own * outputs);
  const constant = new Float64Array(outputs);
  for (let position = 0; position < positions; position += 1) {
    for (let channel = 0; channel < teachers; channel += 1) {
      for (let output = 0; output < outputs; output += 1) {
        const weight = at(kernel.values, (position * teachers + channel) * outputs + output);
        constant[output] = at(constant, output) + at(shift, channel) * weight;
        for (let from = 0; from < own; from += 1) {
          const index = (position * own + from) * outputs + output;
          folded[index] = at(folded, index) + at(mixing, from * teachers + channel) * at(scale, channel) * weight;
        }
      }
    }
  }
  const foldedShape = [...kernel.shape];
  foldedShape[foldedShape.length - 2] = ((foldedShape.at(-2) ?? 1) / teachers) * own;
  weights[`weights/${key}`] = { dtype: "f32", shape: foldedShape, values: folded };
  if (norm !== undefined) addConstant(target.layer, next, constant, weights, read);
}

/** Adds a constant after a kernel: to its bias, or to the mean that the next batch norm subtracts. */
function addConstant(
  layer: LayerSpec,
  next: readonly LayerSpec[],
  constant: Float64Array,
  weights: Record<string, TensorData>,
  read: (from: NamedTensorData, key: string) => { shape: readonly number[]; values: Float32Array },
): void {
  const hasBias = !("useBias" in layer) || layer.useBias !== false;
  const behind = next[next.indexOf(layer) + 1]?.name ?? "";
  const key = hasBias ? `${layer.name}/bias` : `${behind}/moving_mean`;
  const { shape, values } = read(weights, key);
  weights[`weights/${key}`] = {
    dtype: "f32",
    shape,
    values: values.map((value, index) => value + (hasBias ? 1 : -1) * at(constant, index)),
  };
}

function at(values: Float32Array | Float64Array, index: number): number {
  return values[index] as number;
}

function missing(what: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: "stitch the student",
    rule: "every section's checkpoint must hold its weights",
    value: `${what} is absent`,
    remedy: "resume the run, so that its sections are saved again",
  });
}
