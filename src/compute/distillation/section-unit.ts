/**
 * The mathematics of one section of a student, or of the whole student: forward, the loss against the teacher's hint
 * (at the logits against the labels too), backward, update. No gradient leaves it: sections train side by side.
 */
import * as tf from "@tensorflow/tfjs";
import { createAuxiliaryHead } from "../block/index.ts";
import {
  createBlockModel,
  createSlice,
  createWeightAverage,
  deriveSeed,
  hintLoss,
  learningRateAt,
  type LearningRateOptions,
  logitsLoss,
  type SliceSnapshot,
  softmaxCrossEntropy,
  toData,
  toTensor,
} from "../nn/index.ts";
import type { HintSpec, LayerSpec, LogitsSpec, OptimizerSpec } from "../../run-spec/index.ts";
import type { NamedPlaces, TensorData } from "../tensor-data.ts";
import { mixRows } from "./mix-rows.ts";

export interface SectionUnitOptions {
  /** Shape of one sample at its input: the teacher's boundary, or the network's input. */
  readonly inputShape: readonly number[];
  /** Its layers, with an adapter to the teacher's boundary at the end where it needs one. */
  readonly layers: readonly LayerSpec[];
  readonly seed: number;
  readonly optimizer: OptimizerSpec;
  readonly learningRate: LearningRateOptions;
  readonly classes: number;
  readonly objective: SectionObjective;
  /** Decay of the average of its weights; 0: none. */
  readonly averageDecay: number;
}

/** The loss that it minimises. */
export type SectionObjective =
  | {
      /** A boundary's features. */
      readonly kind: "features";
      readonly hint: HintSpec;
      /** Weight of a local classifier beside the hint; 0: none. */
      readonly localCrossEntropy: number;
    }
  | {
      /** The logits. */
      readonly kind: "logits";
      readonly crossEntropy: number;
      /** Absent: the labels alone. */
      readonly teacher?: LogitsSpec;
    };

export interface SectionTrainRequest {
  readonly step: number;
  /** [batch, ...input]: the activation of the teacher's section before, or the samples. */
  readonly input: TensorData;
  /** [batch, ...input]: the activation of the student's own section before; needed while `ownShare` is above 0. */
  readonly ownInput?: TensorData;
  /** Share of the samples that are taken from `ownInput`, 0 to 1. */
  readonly ownShare: number;
  /** [batch] i32, -1: unlabelled */
  readonly labels: TensorData;
  /** [batch, ...output]: the activation of the teacher's section; absent in a run without a teacher. */
  readonly hint?: TensorData;
}

export interface SectionTrainOutcome {
  /** Updates of the weights so far. */
  readonly version: number;
  /** Mean over the batch, of the whole objective. */
  readonly loss: number;
  /** Mean over the batch, against the teacher alone and without its weight. */
  readonly hintLoss?: number;
}

export interface SectionEvaluateOutcome {
  /** Absent at the logits. */
  readonly output?: TensorData;
  /** At the logits only, each summed over the batch. */
  readonly correct?: number;
  readonly lossSum?: number;
  /** Where the teacher's logits are known. */
  readonly agreeing?: number;
  readonly teacherCorrect?: number;
}

export interface SectionUnit {
  readonly parameters: number;
  readonly outputShape: readonly number[];
  /** One update. `publish`, where given, receives the output before the backward begins. */
  train(request: SectionTrainRequest, publish?: (output: TensorData, version: number) => void): SectionTrainOutcome;
  /** With the averaged weights, if there are any. */
  evaluate(input: TensorData, labels: TensorData, hint?: TensorData): SectionEvaluateOutcome;
  /**
   * Takes batch norm's moving statistics as the mean over the batches so far, this one being batch `n`, counted from 1.
   */
  recalibrate(n: number, input: TensorData): void;
  /**
   * From now on updates change only `places` of its trained weights (`weights/<layer>/<weight>`); those that it does not
   * name do not change, names of other sections are ignored. Undefined: all change. Batch norm's moving statistics and the
   * weights of a local classifier move as before. Not a part of a snapshot: it stays over `restore`.
   * @throws KnowledgeNetError KN_SHAPE when a place is beyond its weight; nothing has changed then.
   */
  focus(places: NamedPlaces | undefined): void;
  snapshot(): SliceSnapshot;
  /** @throws KnowledgeNetError KN_CHECKPOINT when a tensor is missing or of another shape. */
  restore(snapshot: SliceSnapshot): void;
  dispose(): void;
}

export function createSectionUnit(options: SectionUnitOptions): SectionUnit {
  const { seed, objective, learningRate, layers } = options;
  const model = createBlockModel(options);
  const slice = createSlice(model, options.optimizer);
  const average = options.averageDecay === 0 ? undefined : createWeightAverage(model, options.averageDecay);
  const ownSeed = deriveSeed(seed, "section", layers.at(-1)?.name ?? "");
  const head =
    objective.kind === "features" && objective.localCrossEntropy > 0
      ? createAuxiliaryHead({
          boundaryShape: slice.outputShape,
          classes: options.classes,
          spec: { hidden: 64, optimizer: options.optimizer },
          seed: ownSeed,
          learningRate,
        })
      : undefined;

  /** The objective's gradient by the output, the caller's, with its figures. */
  const measure = (
    step: number,
    output: tf.Tensor,
    labels: tf.Tensor,
    hint: tf.Tensor | undefined,
  ): { gradient: tf.Tensor; lossSum: number; hintSum?: number } => {
    if (objective.kind === "features") {
      if (hint === undefined) throw new TypeError("a section between boundaries cannot learn without a hint");
      const { gradient, lossSum } = hintLoss(output, hint, objective.hint);
      if (head === undefined) return { gradient, lossSum, hintSum: lossSum };
      const local = head.learn(step, output, labels);
      return { gradient: addScaled([gradient, local], [1, objective.localCrossEntropy]), lossSum, hintSum: lossSum };
    }
    const task = softmaxCrossEntropy(output, labels);
    if (objective.teacher === undefined || hint === undefined) {
      return {
        gradient: addScaled([task.gradient], [objective.crossEntropy]),
        lossSum: objective.crossEntropy * task.lossSum,
      };
    }
    const { weight } = objective.teacher;
    const taught = logitsLoss(output, hint, labels, objective.teacher);
    return {
      gradient: addScaled([task.gradient, taught.gradient], [objective.crossEntropy, weight]),
      lossSum: objective.crossEntropy * task.lossSum + weight * taught.lossSum,
      hintSum: taught.lossSum,
    };
  };

  return {
    parameters: slice.parameters,
    outputShape: slice.outputShape,
    train({ step, input, ownInput, ownShare, labels, hint }, publish) {
      const mixed = mixRows(input, ownInput, ownShare, deriveSeed(ownSeed, String(step)));
      const recording = slice.record([toTensor(mixed)], step);
      const labelTensor = toTensor(labels);
      const hintTensor = hint === undefined ? undefined : toTensor(hint);
      let gradient: tf.Tensor | undefined;
      try {
        publish?.(toData(recording.output, "a section's output"), slice.version);
        const measured = measure(step, recording.output, labelTensor, hintTensor);
        gradient = measured.gradient;
        slice.update(recording, gradient, {
          learningRate: learningRateAt(slice.version + 1, learningRate),
          wantsInputGradient: false,
        });
        average?.update(slice.version);
        const batch = labels.shape[0] ?? 1;
        return {
          version: slice.version,
          loss: measured.lossSum / batch,
          ...(measured.hintSum === undefined ? {} : { hintLoss: measured.hintSum / batch }),
        };
      } finally {
        recording.dispose();
        labelTensor.dispose();
        hintTensor?.dispose();
        gradient?.dispose();
      }
    },
    evaluate(input, labels, hint) {
      const tensors = [toTensor(input), toTensor(labels)] as const;
      const hintTensor = hint === undefined ? undefined : toTensor(hint);
      const infer = (): tf.Tensor => slice.infer([tensors[0]]);
      const output = average === undefined ? infer() : average.during(infer);
      try {
        if (objective.kind === "features") return { output: toData(output, "a section's output") };
        const { gradient, correct, lossSum } = softmaxCrossEntropy(output, tensors[1]);
        gradient.dispose();
        return { correct, lossSum, ...(hintTensor === undefined ? {} : agreement(output, hintTensor, tensors[1])) };
      } finally {
        tf.dispose([...tensors, output]);
        hintTensor?.dispose();
      }
    },
    recalibrate(n, input) {
      const samples = toTensor(input);
      try {
        slice.recalibrate(n, [samples]);
      } finally {
        samples.dispose();
      }
    },
    focus: slice.focus,
    snapshot() {
      const { version, tensors } = slice.snapshot();
      return { version, tensors: { ...tensors, ...average?.snapshot(), ...head?.snapshot() } };
    },
    restore(snapshot) {
      slice.restore(snapshot);
      average?.restore(snapshot.tensors);
      head?.restore(snapshot.tensors);
    },
    dispose() {
      head?.dispose();
      average?.dispose();
      slice.dispose();
    },
  };
}

/** The sum of `weights[i] * tensors[i]`, the caller's; the tensors are disposed. */
function addScaled(tensors: readonly tf.Tensor[], weights: readonly number[]): tf.Tensor {
  const sum = tf.tidy(() => tf.addN(tensors.map((tensor, index) => tensor.mul(weights[index] ?? 1))));
  tf.dispose([...tensors]);
  return sum;
}

/** Samples for which student and teacher agree, and for which the teacher is correct. */
function agreement(
  logits: tf.Tensor,
  teacher: tf.Tensor,
  labels: tf.Tensor,
): Required<Pick<SectionEvaluateOutcome, "agreeing" | "teacherCorrect">> {
  const counts = tf.tidy(() => {
    const predicted = teacher.argMax(1);
    return tf.stack([logits.argMax(1).equal(predicted).sum(), predicted.equal(labels).sum()]);
  });
  const [agreeing = 0, teacherCorrect = 0] = counts.dataSync();
  counts.dispose();
  return { agreeing, teacherCorrect };
}
