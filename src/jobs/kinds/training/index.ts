/** Training: one network, cut into blocks that train with decoupled gradients. One phase. */
import { createFeedingPlan } from "../../../actors/feeder/index.ts";
import { GRADIENT_SOURCE_TRAITS } from "../../../compute/index.ts";
import {
  blockActor,
  boundariesOf,
  FEEDER,
  gradientActor,
  TRAINING,
  type TrainingSpec,
} from "../../../run-spec/index.ts";
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
    // Block 0 passes on what the others need.
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

export const trainingKind: JobKind<TrainingSpec, TrainingResults> = {
  kind: "training",
  modelOf: ({ model }) => model,
  async slices({ model }, describe) {
    return { slices: await describe(model), teacherSlices: [] };
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
