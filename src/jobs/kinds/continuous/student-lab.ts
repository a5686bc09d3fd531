/**
 * The learner's computations on one compute worker: one inference unit holds all weights that answer; a training has a unit
 * of its own, so that its optimiser is fresh and its rate is laid out over its own steps.
 */
import type { StudentLab, TrainPlan } from "../../../actors/learner/index.ts";
import {
  type ComputeWorker,
  type InferenceHandle,
  openInference,
  openSection,
  type SectionHandle,
  type TensorData,
} from "../../../compute/index.ts";
import { augment, type AugmentationOptions } from "../../../data/index.ts";
import { copyTensor, rowsOf, type TensorView } from "../../../messages/index.ts";
import type { NamedTensors } from "../../../models/index.ts";
import type { StudentLabOptions } from "./student-lab-options.ts";
import { trainSections } from "./train-sections.ts";

/** Rows that are computed at a time: the activations of more take memory for nothing. */
const ANSWER_ROWS = 256;
/** Batches of each that are timed: on a busy machine the medians of 9 of one network differed by up to 29 %. */
const TIMED = 31;
/** The first ones compile and warm caches. */
const WARM_UP = 2;

/** @param worker borrowed: closing it is the caller's. Its death rejects every call with KN_UNAVAILABLE. */
export async function openStudentLab(options: StudentLabOptions, worker: ComputeWorker): Promise<StudentLab> {
  const { network, name } = options;
  const answers = await openInference(worker, `${name}.answers`, { inputShape: network.input, layers: network.layers });
  let trainings = 0;

  /** Runs `work` on a section with these weights, which ends with it. */
  const withSection = async <T>(
    from: NamedTensors,
    steps: number,
    work: (section: SectionHandle) => Promise<T>,
  ): Promise<T> => {
    trainings += 1;
    const section = await openSection(worker, `${name}.training-${trainings}`, sectionOptions(options, steps));
    try {
      await section.restore({ version: 0, tensors: from });
      return await work(section);
    } finally {
      await section.dispose();
    }
  };

  return {
    async hold(key, weights) {
      await answers.drop(key);
      // What is given to a worker is moved to it.
      const copies = Object.entries(weights).map(([weight, tensor]) => [weight, copyTensor(tensor)] as const);
      await answers.load(key, Object.fromEntries(copies));
      await answers.complete(key);
    },
    drop: (key) => answers.drop(key),
    answer: (key, inputs) => answerInParts(answers, key, inputs, network.classes),
    async compareLatency(live, candidate, batchSize) {
      const times: Record<"live" | "candidate", number[]> = { live: [], candidate: [] };
      for (let round = 0; round < WARM_UP + TIMED; round += 1) {
        times.live.push(...(await answers.warm(live, [batchSize])));
        times.candidate.push(...(await answers.warm(candidate, [batchSize])));
      }
      return { live: medianOf(times.live.slice(WARM_UP)), candidate: medianOf(times.candidate.slice(WARM_UP)) };
    },
    train: (from, plan) =>
      withSection(from, plan.steps, async (section) => {
        if (plan.focus !== undefined) await section.focus(plan.focus);
        const losses = await trainSteps(section, plan, options);
        const last = losses.slice(-Math.ceil(losses.length / 4));
        const loss = last.reduce((sum, each) => sum + each / last.length, 0);
        return { weights: await weightsOf(section), loss };
      }),
    trainSections(from, plan) {
      trainings += 1;
      const { augmentation, hint = { kind: "feature-mse", normalisation: "relative" }, ...own } = options;
      const viewed = (inputs: TensorView, step: number): TensorData =>
        augmentation === undefined ? copyTensor(inputs) : viewOf(inputs, step, options.seed, augmentation);
      return trainSections({ ...own, name: `${name}.training-${trainings}`, hint, viewOf: viewed }, worker, from, plan);
    },
    recalibrate: (from, batches) =>
      withSection(from, 1, async (section) => {
        for (const [index, batch] of batches.entries()) await section.recalibrate(index + 1, copyTensor(batch));
        return weightsOf(section);
      }),
    [Symbol.asyncDispose]: () => answers.close(),
  };
}

function sectionOptions({ network, optimizer, learningRate, loss, seed }: StudentLabOptions, steps: number) {
  const { logits, crossEntropy } = loss;
  return {
    inputShape: network.input,
    layers: network.layers,
    classes: network.classes,
    seed,
    optimizer,
    learningRate: { ...learningRate, totalSteps: steps },
    objective: { kind: "logits", crossEntropy, ...(logits === undefined ? {} : { teacher: logits }) },
    averageDecay: 0,
  } as const;
}

/** @returns the loss of each step. */
async function trainSteps(
  section: SectionHandle,
  plan: TrainPlan,
  { network, seed, augmentation }: StudentLabOptions,
): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 1; step <= plan.steps; step += 1) {
    const { inputs, logits, labels } = plan.batch(step);
    const rows = labels.length;
    const request = {
      step,
      input: augmentation === undefined ? copyTensor(inputs) : viewOf(inputs, step, seed, augmentation),
      ownShare: 0,
      labels: { dtype: "i32", shape: [rows], values: labels },
      hint: { dtype: "f32", shape: [rows, network.classes], values: logits.slice() },
    } as const;
    losses.push((await section.train(request, undefined)).result.loss);
  }
  return losses;
}

async function answerInParts(
  answers: InferenceHandle,
  key: number,
  inputs: TensorView,
  classes: number,
): ReturnType<StudentLab["answer"]> {
  const [rows = 0] = inputs.shape;
  const logits = new Float32Array(rows * classes);
  const nonFiniteRows: number[] = [];
  for (let from = 0; from < rows; from += ANSWER_ROWS) {
    const to = Math.min(rows, from + ANSWER_ROWS);
    const { result } = await answers.infer(key, rowsOf(inputs, from, to));
    logits.set(result.output.values, from * classes);
    nonFiniteRows.push(...result.nonFiniteRows.map((row) => from + row));
  }
  return { logits, nonFiniteRows };
}

/** [n, ...sample], a copy: the view of step `step` where they are images of u8. */
function viewOf(
  inputs: TensorView,
  step: number,
  seed: number,
  augmentation: Omit<AugmentationOptions, "views">,
): TensorData {
  if (inputs.dtype !== "u8" || inputs.shape.length !== 4) return copyTensor(inputs);
  return augment(
    inputs,
    new Uint32Array(inputs.shape[0] ?? 0).map((_, row) => row),
    step,
    seed,
    {
      ...augmentation,
      views: step,
    },
  );
}

async function weightsOf(section: SectionHandle): Promise<NamedTensors> {
  const { tensors } = await section.snapshot();
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith("weights/")));
}

function medianOf(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
