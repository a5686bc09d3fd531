/** Typed handles on units in a compute worker, for actors. */
import type { LearningRateOptions, SliceSnapshot } from "../nn/index.ts";
import type {
  AutoChoice,
  BlockUnitOptions,
  EvaluateOutcome,
  GradientModelOptions,
  GradientOrigin,
  PredictionQuality,
  TrainRequest,
  UpdateOutcome,
} from "../block/index.ts";
import type {
  SectionEvaluateOutcome,
  SectionTrainOutcome,
  SectionTrainRequest,
  SectionUnitOptions,
  TeacherUnitOptions,
} from "../distillation/index.ts";
import type { InferenceUnitOptions, InferOutcome } from "../inference/index.ts";
import type { NamedPlaces, NamedTensorData, TensorData } from "../tensor-data.ts";
import type { Emit } from "./compute-host.ts";
import type { ComputeWorker, Timed } from "./compute-worker.ts";

/** A unit whose state can be saved. */
export interface UnitHandle {
  readonly parameters: number;
  snapshot(): Promise<SliceSnapshot>;
  restore(snapshot: SliceSnapshot): Promise<void>;
  /** Frees the unit; the worker keeps running. */
  dispose(): Promise<void>;
}

/** Samples, activations and gradients given to a handle are moved and lost to the caller; labels are copied. */
export interface BlockHandle extends UnitHandle {
  train(request: TrainRequest, onActivation: Emit): Promise<Timed<UpdateOutcome>>;
  receive(step: number, gradient: TensorData, origin: GradientOrigin): Promise<Timed<UpdateOutcome>>;
  evaluate(input: TensorData, labels: TensorData): Promise<Timed<EvaluateOutcome>>;
  /** Selects the gradient model or the auxiliary head of an `auto` source; KN_INVARIANT for other sources. */
  use(source: AutoChoice): Promise<void>;
  /** Abandons every batch whose gradient is pending. Resolves to their number. */
  forget(): Promise<number>;
}

export interface GradientModelHandle extends UnitHandle {
  predict(step: number, activation: TensorData, labels: TensorData): Promise<Timed<TensorData>>;
  learn(step: number, gradient: TensorData): Promise<Timed<PredictionQuality | undefined>>;
}

/** Tensors given to a handle are moved and lost to the caller, but the labels. */
export interface SectionHandle extends UnitHandle {
  readonly outputShape: readonly number[];
  /** @param onOutput receives the output for the student's next section; undefined: the output stays in the worker. */
  train(request: SectionTrainRequest, onOutput: Emit | undefined): Promise<Timed<SectionTrainOutcome>>;
  evaluate(input: TensorData, labels: TensorData, hint?: TensorData): Promise<Timed<SectionEvaluateOutcome>>;
  recalibrate(n: number, input: TensorData): Promise<void>;
  /**
   * From now on updates change only `places` of the trained weights, borrowed; undefined: all change. Rejects with
   * KN_SHAPE when a place is beyond its weight.
   */
  focus(places: NamedPlaces | undefined): Promise<void>;
}

/** A teacher's section has no state of its own: its weights came with its options. */
export interface TeacherHandle extends Pick<UnitHandle, "parameters" | "dispose"> {
  readonly outputShape: readonly number[];
  infer(input: TensorData): Promise<Timed<TensorData>>;
  /** [height, width, channels] u8 of any size -> probability of each class. */
  classify(image: TensorData): Promise<number[]>;
}

/**
 * A slice of a served network. Tensors given to it are moved and lost to the caller. Calls are answered in order: a batch
 * waits for one piece of a release at most when each piece is sent after the one before was answered.
 */
export interface InferenceHandle {
  readonly parameters: number;
  /** Of one sample. */
  readonly outputShape: readonly number[];
  /** Adds tensors to a release that is being loaded. Rejects with KN_INVARIANT when the release is complete. */
  load(release: number, tensors: NamedTensorData): Promise<Timed<void>>;
  /** Rejects with KN_CHECKPOINT or KN_NUMERIC when its weights are of no use; the release is dropped then. */
  complete(release: number): Promise<Timed<void>>;
  /**
   * Computes a batch of zeros of each size, one call after another.
   * @returns the time of each, ms.
   */
  warm(release: number, batchSizes: readonly number[]): Promise<number[]>;
  /** Rejects with KN_STALE when the release is not complete, with KN_SHAPE when the input does not fit. */
  infer(release: number, input: TensorData): Promise<Timed<InferOutcome>>;
  /** Frees a release; an absent one is no error. */
  drop(release: number): Promise<void>;
  /** Frees all releases and the network; the worker keeps running. */
  close(): Promise<void>;
}

function unitHandle(worker: ComputeWorker, unit: string, parameters: number): UnitHandle {
  return {
    parameters,
    snapshot: async () => (await worker.call("snapshot", { unit })).result,
    async restore(snapshot) {
      await worker.call("restore", { unit, snapshot });
    },
    async dispose() {
      await worker.call("disposeUnit", { unit });
    },
  };
}

/**
 * @param gradientModel name of the gradient model open in the same worker, where the source has one and it is not
 * elsewhere.
 */
export async function openBlock(
  worker: ComputeWorker,
  unit: string,
  options: BlockUnitOptions,
  gradientModel?: string,
): Promise<BlockHandle> {
  const opened = await worker.call("openBlock", {
    unit,
    options,
    ...(gradientModel === undefined ? {} : { gradientModel }),
  });
  return {
    ...unitHandle(worker, unit, opened.result.parameters),
    train: (request, onEmit) => worker.call("train", { unit, request }, { transfer: [request.input], onEmit }),
    receive: (step, gradient, origin) =>
      worker.call("receive", { unit, step, gradient, origin }, { transfer: [gradient] }),
    evaluate: (input, labels) => worker.call("evaluate", { unit, input, labels }, { transfer: [input] }),
    async use(source) {
      await worker.call("use", { unit, source });
    },
    forget: async () => (await worker.call("forget", { unit })).result,
  };
}

export async function openGradientModel(
  worker: ComputeWorker,
  unit: string,
  options: GradientModelOptions,
  learningRate: LearningRateOptions,
): Promise<GradientModelHandle> {
  const opened = await worker.call("openGradientModel", { unit, options, learningRate });
  return {
    ...unitHandle(worker, unit, opened.result.parameters),
    predict: (step, activation, labels) =>
      worker.call("predict", { unit, step, activation, labels }, { transfer: [activation] }),
    learn: (step, gradient) => worker.call("learn", { unit, step, gradient }, { transfer: [gradient] }),
  };
}

export async function openSection(
  worker: ComputeWorker,
  unit: string,
  options: SectionUnitOptions,
): Promise<SectionHandle> {
  const { result } = await worker.call("openSection", { unit, options });
  return {
    ...unitHandle(worker, unit, result.parameters),
    outputShape: result.outputShape ?? [],
    train: (request, onOutput) => {
      const { input, ownInput, hint } = request;
      const transfer = [input, ownInput, hint].filter((tensor) => tensor !== undefined);
      const call = { unit, request, wantsOutput: onOutput !== undefined };
      return worker.call("trainSection", call, { transfer, ...(onOutput === undefined ? {} : { onEmit: onOutput }) });
    },
    evaluate: (input, labels, hint) =>
      worker.call(
        "evaluateSection",
        { unit, input, labels, ...(hint === undefined ? {} : { hint }) },
        { transfer: hint === undefined ? [input] : [input, hint] },
      ),
    async recalibrate(n, input) {
      await worker.call("recalibrate", { unit, n, input }, { transfer: [input] });
    },
    async focus(places) {
      await worker.call("focus", { unit, ...(places === undefined ? {} : { places }) });
    },
  };
}

export async function openTeacher(
  worker: ComputeWorker,
  unit: string,
  options: TeacherUnitOptions,
): Promise<TeacherHandle> {
  const { result } = await worker.call("openTeacher", { unit, options });
  const { parameters, dispose } = unitHandle(worker, unit, result.parameters);
  return {
    parameters,
    outputShape: result.outputShape ?? [],
    dispose,
    infer: (input) => worker.call("teach", { unit, input }, { transfer: [input] }),
    classify: async (image) => (await worker.call("classify", { unit, image })).result,
  };
}

export async function openInference(
  worker: ComputeWorker,
  unit: string,
  options: InferenceUnitOptions,
): Promise<InferenceHandle> {
  const { result } = await worker.call("openInference", { unit, options });
  const { parameters, dispose } = unitHandle(worker, unit, result.parameters);
  const infer: InferenceHandle["infer"] = (release, input) =>
    worker.call("infer", { unit, release, input }, { transfer: [input] });
  return {
    parameters,
    outputShape: result.outputShape ?? [],
    load: (release, tensors) =>
      worker.call("loadRelease", { unit, release, tensors }, { transfer: Object.values(tensors) }),
    complete: (release) => worker.call("completeRelease", { unit, release }),
    async warm(release, batchSizes) {
      const times: number[] = [];
      for (const rows of batchSizes) {
        const shape = [rows, ...options.inputShape];
        const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
        times.push((await infer(release, { dtype: "f32", shape, values })).computeMs);
      }
      return times;
    },
    infer,
    async drop(release) {
      await worker.call("dropRelease", { unit, release });
    },
    close: dispose,
  };
}
