/** Training: one network, cut into blocks that train with decoupled gradients. One phase. */
import { createFeedingPlan } from "../../../actors/feeder/index.ts";
import { GRADIENT_SOURCE_TRAITS, type SliceDescription } from "../../../compute/index.ts";
import {
  blockActor,
  boundariesOf,
  FEEDER,
  gradientActor,
  TRAINING,
  type TrainingSpec,
} from "../../../run-spec/index.ts";
import { checkBatchNorm, normsOf, type TrainedNorm } from "../../check-batch-norm.ts";
import { feedingOptionsOf } from "../../feeding-options.ts";
import type { Feeding, JobKind } from "../../job-kind.ts";
import type { RunActors } from "../../run-parts.ts";
import { createTrainingComposer } from "./compose-training.ts";
import { trainingFrames } from "./training-frames.ts";
import { type TrainingResults, trainingResultsOf } from "./training-results.ts";
import { trainingView } from "./training-view.ts";

const feeding: Feeding<TrainingSpec> = {
  plan: (spec, dataset) =>
    createFeedingPlan({
      ...feedingOptionsOf(spec, dataset),
      batchSize: spec.training.batchSize,
      epochs: spec.training.epochs,
      trainingSamples: dataset.train.count,
    }),
  rules: ({ flow, data }) => ({
    window: flow.window,
    // Block 0 forwards each batch as activations; the others need nothing from the feeder.
    keepsUntil: "first",
    isDropping: flow.overload === "drop",
    augmentation: data.augmentation,
    isDistilling: false,
    namesTeacher: false,
  }),
};

function actors(spec: TrainingSpec): RunActors {
  const boundaries = boundariesOf(spec);
  const learners = Array.from({ length: boundaries.length + 1 }, (_, index) => blockActor(index));
  const gradientModels = boundaries
    .filter(({ source }) => GRADIENT_SOURCE_TRAITS[source].hasGradientModel)
    .map(({ index }) => gradientActor(index));
  return { learners, gradientModels, teachers: [], all: [...gradientModels, ...learners, FEEDER] };
}

/** Gradient models and auxiliary heads have a batch norm of the boundary's height and width. */
function normsAtBoundaries(spec: TrainingSpec, slices: readonly SliceDescription[]): TrainedNorm[] {
  return boundariesOf(spec).flatMap(({ index, name, source }) => {
    const shape = slices[index]?.outputShape ?? [];
    const { hasGradientModel, hasAuxiliaryHead } = GRADIENT_SOURCE_TRAITS[source];
    return [
      ...(hasGradientModel ? [{ name: `the gradient model after ${name}`, shape }] : []),
      ...(hasAuxiliaryHead ? [{ name: `the auxiliary head after ${name}`, shape }] : []),
    ];
  });
}

export const trainingKind: JobKind<TrainingSpec, TrainingResults> = {
  kind: "training",
  modelOf: ({ model }) => model,
  async slices(spec, describe) {
    const slices = await describe(spec.model);
    const { batchSize } = spec.training;
    const norms = [...normsOf(spec.model), ...normsAtBoundaries(spec, slices)];
    checkBatchNorm({ spec: spec.name, batchKey: "training.batchSize", batchSize, norms });
    return { slices, teacherSlices: [] };
  },
  frames: trainingFrames,
  phases: () => [TRAINING],
  takesOver: () => false,
  actors,
  feeding,
  compose: createTrainingComposer,
  results: trainingResultsOf,
  view: trainingView,
};
