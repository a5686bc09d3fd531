/**
 * The inside of a compute worker: holds units (blocks, gradient models, sections) by name and answers calls on them,
 * one after another. Free of threads, so that tests can run it in their own.
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  type AutoChoice,
  type BlockUnit,
  type BlockUnitOptions,
  createBlockUnit,
  createGradientModel,
  type EvaluateOutcome,
  type GradientModel,
  type GradientModelOptions,
  type GradientOrigin,
  type PredictionQuality,
  type TrainRequest,
  type UpdateOutcome,
} from "../block/index.ts";
import {
  describeModel,
  learningRateAt,
  type LearningRateOptions,
  type SliceDescription,
  type SliceSnapshot,
  toData,
  toTensor,
} from "../nn/index.ts";
import {
  createSectionUnit,
  createTeacherUnit,
  type SectionEvaluateOutcome,
  type SectionTrainOutcome,
  type SectionTrainRequest,
  type SectionUnit,
  type SectionUnitOptions,
  type TeacherUnit,
  type TeacherUnitOptions,
} from "../distillation/index.ts";
import {
  createInferenceUnit,
  type InferenceUnit,
  type InferenceUnitOptions,
  type InferOutcome,
} from "../inference/index.ts";
import { measureSpeed } from "./measure-speed.ts";
import type { ModelSpec } from "../../run-spec/index.ts";
import type { NamedPlaces, NamedTensorData, TensorData } from "../tensor-data.ts";

export interface OpenedUnit {
  readonly parameters: number;
  /** Of one sample; not of a gradient model. */
  readonly outputShape?: readonly number[];
}

export interface MemoryFigures {
  readonly tensors: number;
  readonly bytes: number;
}

/** Receives the activation of a call before the call ends. */
export type Emit = (activation: TensorData, version: number) => void;

/** Every call that a worker answers: one object in, one out. */
export interface ComputeCalls {
  openBlock(call: { unit: string; options: BlockUnitOptions; gradientModel?: string }): OpenedUnit;
  openGradientModel(call: {
    unit: string;
    options: GradientModelOptions;
    learningRate: LearningRateOptions;
  }): OpenedUnit;
  openSection(call: { unit: string; options: SectionUnitOptions }): OpenedUnit;
  openTeacher(call: { unit: string; options: TeacherUnitOptions }): OpenedUnit;
  trainSection(
    call: { unit: string; request: SectionTrainRequest; wantsOutput: boolean },
    emit: Emit,
  ): SectionTrainOutcome;
  evaluateSection(call: {
    unit: string;
    input: TensorData;
    labels: TensorData;
    hint?: TensorData;
  }): SectionEvaluateOutcome;
  recalibrate(call: { unit: string; n: number; input: TensorData }): void;
  focus(call: { unit: string; places?: NamedPlaces }): void;
  /** [batch, ...input] -> [batch, ...output] of a teacher's section. */
  teach(call: { unit: string; input: TensorData }): TensorData;
  /** An image of any size -> probability of each class. */
  classify(call: { unit: string; image: TensorData }): number[];
  openInference(call: { unit: string; options: InferenceUnitOptions }): OpenedUnit;
  loadRelease(call: { unit: string; release: number; tensors: NamedTensorData }): void;
  completeRelease(call: { unit: string; release: number }): void;
  dropRelease(call: { unit: string; release: number }): void;
  /** [n, ...input] -> [n, ...output] of a slice of a served network. */
  infer(call: { unit: string; release: number; input: TensorData }): InferOutcome;
  train(call: { unit: string; request: TrainRequest }, emit: Emit): UpdateOutcome;
  receive(call: { unit: string; step: number; gradient: TensorData; origin: GradientOrigin }): UpdateOutcome;
  evaluate(call: { unit: string; input: TensorData; labels: TensorData }): EvaluateOutcome;
  use(call: { unit: string; source: AutoChoice }): void;
  forget(call: { unit: string }): number;
  predict(call: { unit: string; step: number; activation: TensorData; labels: TensorData }): TensorData;
  learn(call: { unit: string; step: number; gradient: TensorData }): PredictionQuality | undefined;
  snapshot(call: { unit: string }): SliceSnapshot;
  restore(call: { unit: string; snapshot: SliceSnapshot }): void;
  disposeUnit(call: { unit: string }): void;
  describeModel(call: { model: ModelSpec }): SliceDescription[];
  memory(call: Record<string, never>): MemoryFigures;
  /** Speed of a matrix product in f32, GFLOP/s. */
  measureSpeed(call: Record<string, never>): number;
}

interface GradientModelUnit {
  readonly kind: "gradient-model";
  readonly model: GradientModel;
  readonly learningRate: LearningRateOptions;
  updates: number;
}

type Unit =
  | { readonly kind: "block"; readonly block: BlockUnit }
  | { readonly kind: "section"; readonly section: SectionUnit }
  | { readonly kind: "teacher"; readonly teacher: TeacherUnit }
  | { readonly kind: "inference"; readonly inference: InferenceUnit }
  | GradientModelUnit;

export function createComputeHost(): ComputeCalls {
  const units = new Map<string, Unit>();

  const find = <K extends Unit["kind"]>(name: string, kind: K): Extract<Unit, { kind: K }> => {
    const unit = units.get(name);
    if (unit?.kind === kind) return unit as Extract<Unit, { kind: K }>;
    throw new KnowledgeNetError("KN_INVARIANT", {
      attempt: `call ${name}`,
      rule: `a ${kind} of that name must be open in this worker`,
      value: unit?.kind ?? "absent",
    });
  };
  /** A unit with a state that can be saved. */
  const snapshottable = (name: string): BlockUnit | GradientModel | SectionUnit => {
    const unit = units.get(name);
    if (unit?.kind === "gradient-model") return unit.model;
    return unit?.kind === "section" ? unit.section : find(name, "block").block;
  };
  const disposable = (name: string): { dispose(): void } => {
    const unit = units.get(name);
    if (unit?.kind === "inference") return unit.inference;
    return unit?.kind === "teacher" ? unit.teacher : snapshottable(name);
  };

  /** A unit that is opened again replaces the one before; calls by its name reach the new one. */
  const replace = (name: string, unit: Unit): void => {
    if (units.has(name)) disposable(name).dispose();
    units.set(name, unit);
  };

  return {
    openBlock({ unit, options, gradientModel }) {
      if (gradientModel !== undefined) find(gradientModel, "gradient-model");
      const block = createBlockUnit(
        options,
        gradientModel === undefined ? undefined : () => find(gradientModel, "gradient-model").model,
      );
      replace(unit, { kind: "block", block });
      return { parameters: block.parameters, outputShape: block.outputShape };
    },
    openGradientModel({ unit, options, learningRate }) {
      const model = createGradientModel(options);
      replace(unit, { kind: "gradient-model", model, learningRate, updates: 0 });
      return { parameters: model.parameters };
    },
    openSection({ unit, options }) {
      const section = createSectionUnit(options);
      replace(unit, { kind: "section", section });
      return { parameters: section.parameters, outputShape: section.outputShape };
    },
    openTeacher({ unit, options }) {
      const teacher = createTeacherUnit(options);
      replace(unit, { kind: "teacher", teacher });
      return { parameters: teacher.parameters, outputShape: teacher.outputShape };
    },
    openInference({ unit, options }) {
      const inference = createInferenceUnit(options);
      replace(unit, { kind: "inference", inference });
      return { parameters: inference.parameters, outputShape: inference.outputShape };
    },
    loadRelease({ unit, release, tensors }) {
      find(unit, "inference").inference.load(release, tensors);
    },
    completeRelease({ unit, release }) {
      find(unit, "inference").inference.complete(release);
    },
    dropRelease({ unit, release }) {
      find(unit, "inference").inference.drop(release);
    },
    infer: ({ unit, release, input }) => find(unit, "inference").inference.infer(release, input),
    trainSection: ({ unit, request, wantsOutput }, emit) =>
      find(unit, "section").section.train(request, wantsOutput ? emit : undefined),
    evaluateSection: ({ unit, input, labels, hint }) => find(unit, "section").section.evaluate(input, labels, hint),
    recalibrate({ unit, n, input }) {
      find(unit, "section").section.recalibrate(n, input);
    },
    focus({ unit, places }) {
      find(unit, "section").section.focus(places);
    },
    teach: ({ unit, input }) => find(unit, "teacher").teacher.infer(input),
    classify: ({ unit, image }) => find(unit, "teacher").teacher.classify(image),
    train: ({ unit, request }, emit) => find(unit, "block").block.train(request, emit),
    receive: ({ unit, step, gradient, origin }) => find(unit, "block").block.receive(step, gradient, origin),
    evaluate: ({ unit, input, labels }) => find(unit, "block").block.evaluate(input, labels),
    use({ unit, source }) {
      find(unit, "block").block.use(source);
    },
    forget: ({ unit }) => find(unit, "block").block.forget(),
    predict({ unit, step, activation, labels }) {
      const { model } = find(unit, "gradient-model");
      const inputs = [toTensor(activation), toTensor(labels)] as const;
      try {
        const prediction = model.predict(step, ...inputs);
        try {
          return toData(prediction, "a synthetic gradient");
        } finally {
          prediction.dispose();
        }
      } finally {
        tf.dispose([...inputs]);
      }
    },
    learn({ unit, step, gradient }) {
      const found = find(unit, "gradient-model");
      const tensor = toTensor(gradient);
      try {
        const quality = found.model.learn(step, tensor, learningRateAt(found.updates + 1, found.learningRate));
        if (quality !== undefined) found.updates = quality.updates;
        return quality;
      } finally {
        tensor.dispose();
      }
    },
    snapshot: ({ unit }) => snapshottable(unit).snapshot(),
    restore({ unit, snapshot }) {
      snapshottable(unit).restore(snapshot);
      const restored = units.get(unit);
      if (restored?.kind === "gradient-model") restored.updates = snapshot.version;
    },
    disposeUnit({ unit }) {
      disposable(unit).dispose();
      units.delete(unit);
    },
    describeModel: ({ model }) => describeModel(model),
    memory() {
      const { numTensors, numBytes } = tf.memory();
      return { tensors: numTensors, bytes: numBytes };
    },
    measureSpeed,
  };
}
