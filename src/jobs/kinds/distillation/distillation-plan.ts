/** Actors and batches of each phase of a distillation run. */
import { createFeedingPlan, type FeedingPlan } from "../../../actors/feeder/index.ts";
import type { Dataset } from "../../../data/index.ts";
import {
  BASELINE,
  type DistillationSpec,
  FEEDER,
  phasesOf,
  type RunPhase,
  STUDENT,
  studentActor,
  teacherActor,
} from "../../../run-spec/index.ts";
import { feedingOptionsOf } from "../../feeding-options.ts";
import type { Feeding } from "../../job-kind.ts";
import type { RunActors } from "../../run-parts.ts";

export function distillationActors(spec: DistillationSpec, phase: RunPhase): RunActors {
  const indices = Array.from({ length: spec.student.model.cuts.length + 1 }, (_, index) => index);
  const whole = phase === "baseline" ? BASELINE : STUDENT;
  const learners = phase === "sections" ? indices.map((index) => studentActor(index)) : [whole];
  const copies = Array.from({ length: spec.teacher.replicas }, (_, copy) => copy);
  const teachers =
    phase === "baseline" ? [] : indices.flatMap((index) => copies.map((copy) => teacherActor(index, copy)));
  return { learners, gradientModels: [], teachers, all: [...teachers, ...learners, FEEDER] };
}

export const distillationFeeding: Feeding<DistillationSpec> = {
  plan: planOfPhase,
  rules: ({ flow, data }, phase) => ({
    window: flow.window,
    // Each section depends on the batch itself.
    keepsUntil: "all",
    isDropping: false,
    augmentation: data.augmentation,
    isDistilling: true,
    namesTeacher: phase !== "baseline",
  }),
};

function planOfPhase(spec: DistillationSpec, dataset: Dataset, phase: RunPhase): FeedingPlan {
  const phases = phasesOf(spec);
  const position = phases.findIndex((each) => each === phase);
  if (position < 0) throw new RangeError(`${spec.name} has no phase ${phase}`);
  const before = phases[position - 1];
  const shared = {
    ...feedingOptionsOf(spec, dataset),
    batchSize: spec.batchSize,
    startAfter: before === undefined ? 0 : planOfPhase(spec, dataset, before).lastSequence,
  };
  const { count } = dataset.train;
  if (phase === "baseline") {
    // The baseline uses labelled samples only, in more passes: as many steps as the other phases.
    const trainingSamples = Math.min(count, spec.data.labelled ?? count);
    const [all, own] = [count, trainingSamples].map((samples) => Math.floor(samples / spec.batchSize));
    return createFeedingPlan({
      ...shared,
      trainingSamples,
      epochs: spec.sections.epochs + spec.finetune.epochs,
      passesPerEpoch: Math.max(1, Math.round((all ?? 1) / Math.max(1, own ?? 1))),
    });
  }
  if (phase === "sections") {
    return createFeedingPlan({ ...shared, trainingSamples: count, epochs: spec.sections.epochs });
  }
  return createFeedingPlan({
    ...shared,
    trainingSamples: count,
    epochs: spec.finetune.epochs,
    recalibrateBatches: before === "sections" ? spec.finetune.recalibrate : 0,
  });
}
