/**
 * A trainable piece of a network: a tfjs layers model, its optimiser, and forward and backward as two separate steps.
 * Blocks, gradient models, auxiliary heads and sections all consist of one.
 *
 * Gradients are per sample, of the summed loss; the slice divides its weight gradients by the batch size.
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { OptimizerSpec } from "../../run-spec/index.ts";
import { createOptimizer, type UpdateMasks } from "./optimizer/index.ts";
import type { NamedPlaces, NamedTensorData } from "../tensor-data.ts";
import { SeededDropout } from "./seeded-dropout.ts";
import { type PullBackOptions, recordTape, type Tape } from "./tape.ts";
import { toData, toTensor } from "./tensors.ts";

/** A training forward whose backward is still to run. Owns its inputs. */
export interface Recording {
  /** [batch, ...output shape], owned by the recording. */
  readonly output: tf.Tensor;
  readonly inputs: readonly tf.Tensor[];
  readonly retainedBytes: number;
  readonly tape: Tape;
  dispose(): void;
}

export interface Slice {
  /** Shape of one sample of the output. */
  readonly outputShape: readonly number[];
  readonly parameters: number;
  /** Updates applied so far: the version of the weights. */
  readonly version: number;
  /** Inference forward, moving statistics of batch norm. The result is the caller's. */
  infer(inputs: readonly tf.Tensor[]): tf.Tensor;
  /**
   * Training forward that only moves batch norm's statistics: to the mean over the batches so far, this one being batch
   * `n`, counted from 1.
   */
  recalibrate(n: number, inputs: readonly tf.Tensor[]): void;
  /** Training forward without a backward to come: batch statistics, the step's dropout. The result is the caller's. */
  forward(inputs: readonly tf.Tensor[], step: number): tf.Tensor;
  /** Training forward for `step`, to be followed by `update` or `pullBack`. Takes over `inputs`. */
  record(inputs: readonly tf.Tensor[], step: number): Recording;
  /**
   * Backward of a recording, at the weights of its forward; changes no weight. `outputGradient` is borrowed. The
   * recording ends, also when this throws, unless `keep` is set.
   * @throws KnowledgeNetError KN_SHAPE when the gradient's shape is not the output's, KN_NUMERIC when a weight's
   * gradient is not finite.
   */
  pullBack(recording: Recording, outputGradient: tf.Tensor, options: SlicePullBackOptions): SliceGradients;
  /**
   * From now on updates change only `places` of the trained weights (`weights/<layer>/<weight>`); those that it does not
   * name do not change, names of other slices are ignored. Undefined: all change. Not a part of a snapshot.
   * @throws KnowledgeNetError KN_SHAPE when a place is beyond its weight; nothing has changed then.
   */
  focus(places: NamedPlaces | undefined): void;
  /** One update. `weightGradients` are borrowed: as `SliceGradients.weights`, or a combination of several of them. */
  apply(weightGradients: readonly tf.Tensor[], learningRate: number): void;
  /**
   * `pullBack` and `apply` in one; the recording ends.
   * @returns the gradient by the first input, per sample, the caller's; undefined unless `wantsInputGradient`.
   * @throws KnowledgeNetError as `pullBack`; no weight has changed then.
   */
  update(recording: Recording, outputGradient: tf.Tensor, options: UpdateOptions): tf.Tensor | undefined;
  /** Weights, batch-norm statistics and optimiser state by name, and the count of updates. */
  snapshot(): SliceSnapshot;
  /** @throws KnowledgeNetError KN_CHECKPOINT when a tensor is missing or of another shape. */
  restore(snapshot: SliceSnapshot): void;
  dispose(): void;
}

export interface SlicePullBackOptions extends PullBackOptions {
  readonly wantsInputGradient: boolean;
}

export interface UpdateOptions {
  readonly learningRate: number;
  readonly wantsInputGradient: boolean;
}

/** Result of a backward, owned by the caller. */
export interface SliceGradients {
  /** By each trained weight, in the slice's order, of the batch's mean loss. */
  readonly weights: readonly tf.Tensor[];
  /** By the first input, [batch, ...input shape], per sample; where it was requested. */
  readonly input?: tf.Tensor;
}

export interface SliceSnapshot {
  readonly version: number;
  readonly tensors: NamedTensorData;
}

export function createSlice(model: tf.LayersModel, optimizerSpec: OptimizerSpec): Slice {
  const optimizer = createOptimizer(optimizerSpec);
  const dropouts = model.layers.filter((layer) => layer instanceof SeededDropout);
  const trainable = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  let masks: UpdateMasks | undefined;

  const apply = (inputs: readonly tf.Tensor[], training: boolean): tf.Tensor =>
    model.apply(inputs.length === 1 ? (inputs[0] as tf.Tensor) : [...inputs], { training }) as tf.Tensor;

  const pullBack: Slice["pullBack"] = (recording, outputGradient, { wantsInputGradient, keep = false }) => {
    try {
      const expected = recording.output.shape;
      if (!tf.util.arraysEqual(expected, outputGradient.shape)) {
        throw new KnowledgeNetError("KN_SHAPE", {
          attempt: "apply a gradient",
          rule: `it must have the shape of the activation, [${expected.join(", ")}]`,
          value: `[${outputGradient.shape.join(", ")}]`,
        });
      }
      const targets = wantsInputGradient ? [...trainable, recording.inputs[0] as tf.Tensor] : trainable;
      // tfjs refuses to differentiate by nothing: the first block may have no weights.
      const sums = targets.length === 0 ? [] : recording.tape.pullBack(outputGradient, targets, { keep });
      const input = wantsInputGradient ? sums.pop() : undefined;
      try {
        assertFinite(sums);
        const weights = sums.map((sum) => sum.div(expected[0] ?? 1));
        return { weights, ...(input === undefined ? {} : { input }) };
      } catch (error) {
        input?.dispose();
        throw error;
      } finally {
        tf.dispose(sums);
      }
    } finally {
      if (!keep) recording.dispose();
    }
  };

  const applyGradients: Slice["apply"] = (weightGradients, learningRate) => {
    optimizer.apply(trainable, weightGradients, learningRate, masks);
  };

  return {
    outputShape: (model.outputShape as number[]).slice(1),
    parameters: model.countParams(),
    get version() {
      return optimizer.updates;
    },
    infer: (inputs) => tf.tidy(() => apply(inputs, false)),
    recalibrate(n, inputs) {
      const norms = model.layers.filter(isBatchNorm);
      const before = norms.map(({ momentum }) => momentum);
      for (const norm of norms) norm.momentum = (n - 1) / n;
      try {
        tf.dispose(apply(inputs, true));
      } finally {
        norms.forEach((norm, index) => {
          norm.momentum = before[index] ?? norm.momentum;
        });
      }
    },
    forward(inputs, step) {
      for (const dropout of dropouts) dropout.step = step;
      return tf.tidy(() => apply(inputs, true));
    },
    record(inputs, step) {
      for (const dropout of dropouts) dropout.step = step;
      const tape = recordOrDispose(() => apply(inputs, true), inputs);
      return {
        output: tape.output,
        inputs,
        retainedBytes: tape.retainedBytes,
        tape,
        dispose() {
          tape.dispose();
          tf.dispose([...inputs]);
        },
      };
    },
    pullBack,
    focus(places) {
      const before = masks ?? [];
      masks = places === undefined ? undefined : createMasks(model, places);
      tf.dispose(before.filter((mask) => mask !== undefined));
    },
    apply: applyGradients,
    update(recording, outputGradient, { learningRate, wantsInputGradient }) {
      const { weights, input } = pullBack(recording, outputGradient, { wantsInputGradient });
      try {
        applyGradients(weights, learningRate);
        return input;
      } finally {
        tf.dispose([...weights]);
      }
    },
    snapshot() {
      const tensors: Record<string, NamedTensorData[string]> = {};
      for (const weight of model.weights) {
        const name = `weights/${weight.originalName}`;
        tensors[name] = toData(weight.read(), name);
      }
      for (const [key, tensor] of Object.entries(optimizer.state())) {
        const name = `optimizer/${key}`;
        tensors[name] = toData(tensor, name);
      }
      return { version: optimizer.updates, tensors };
    },
    restore({ version, tensors }) {
      tf.tidy(() => {
        restoreWeights(model, tensors);
        optimizer.restore(version, (key, like) => readSaved(tensors, `optimizer/${key}`, like.shape), trainable);
      });
    },
    dispose() {
      tf.dispose((masks ?? []).filter((mask) => mask !== undefined));
      optimizer.dispose();
      model.dispose();
    },
  };
}

/** @throws KnowledgeNetError KN_CHECKPOINT when a weight is missing or of another shape. */
export function restoreWeights(model: tf.LayersModel, tensors: NamedTensorData): void {
  tf.tidy(() => {
    for (const weight of model.weights) {
      weight.write(readSaved(tensors, `weights/${weight.originalName}`, weight.shape as number[]));
    }
  });
}

/** A mask for each trained weight of the model, the caller's. */
function createMasks(model: tf.LayersModel, places: NamedPlaces): UpdateMasks {
  const allowed = model.trainableWeights.map(({ originalName, shape }) => {
    const name = `weights/${originalName}`;
    const at = places[name];
    return at === undefined ? undefined : { shape: shape as number[], values: allowedAt(name, at, shape as number[]) };
  });
  return allowed.map((mask) => (mask === undefined ? undefined : tf.tensor(mask.values, mask.shape, "bool")));
}

function allowedAt(name: string, places: Uint32Array, shape: readonly number[]): Uint8Array {
  const values = new Uint8Array(tf.util.sizeFromShape([...shape]));
  for (const place of places) {
    if (place >= values.length) {
      throw new KnowledgeNetError("KN_SHAPE", {
        attempt: `train a part of ${name}`,
        rule: `its places must be below its ${values.length} values`,
        value: String(place),
        remedy: "select them from the weights of this network",
      });
    }
    values[place] = 1;
  }
  return values;
}

function readSaved(tensors: NamedTensorData, name: string, shape: readonly number[]): tf.Tensor {
  const saved = tensors[name];
  if (saved === undefined || !tf.util.arraysEqual([...saved.shape], [...shape])) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `restore ${name}`,
      rule: `the checkpoint must hold it with shape [${shape.join(", ")}]`,
      value: saved === undefined ? "absent" : `[${saved.shape.join(", ")}]`,
      remedy: "resume with the spec that the checkpoint was written under",
    });
  }
  return toTensor(saved);
}

/** tfjs's own class is not exported; its name is. */
function isBatchNorm(layer: tf.layers.Layer): layer is tf.layers.Layer & { momentum: number } {
  return layer.getClassName() === "BatchNormalization";
}

/**
 * A weight that is not finite does not always show in the output: max pooling skips NaN. This check costs one sum
 * (0.2 ms for 737,000 weights on native; the update takes tens of times that).
 */
function assertFinite(gradients: readonly tf.Tensor[]): void {
  if (gradients.length === 0) return;
  const sum = tf.tidy(() => tf.addN(gradients.map((gradient) => gradient.sum())).dataSync()[0] as number);
  if (Number.isFinite(sum)) return;
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: "update the weights",
    rule: "every gradient must be finite",
    value: `a sum of ${sum}`,
    remedy: "the actor restarts from its last checkpoint; lower the learning rate if it happens again",
  });
}

/** Takes over the inputs: a forward that throws frees them too. */
function recordOrDispose(forward: () => tf.Tensor, inputs: readonly tf.Tensor[]): Tape {
  try {
    return recordTape(forward);
  } catch (error) {
    tf.dispose([...inputs]);
    throw error;
  }
}
