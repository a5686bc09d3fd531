/**
 * Distillation: a student with the cuts of its teacher. Each section trains on the hints of its teacher section, then
 * the student trains as a whole.
 */
import { type DistillationSpec, type ModelSpec, phasesOf } from "../../../run-spec/index.ts";
import type { SliceDescription } from "../../../compute/index.ts";
import { checkBatchNorm, normsOf, type TrainedNorm } from "../../check-batch-norm.ts";
import type { JobKind, Teaching } from "../../job-kind.ts";
import { adaptersOf, matchSections, teacherModelOf } from "../../match-sections.ts";
import { createDistillationComposer } from "./compose-distillation.ts";
import { distillationFrames } from "./distillation-frames.ts";
import { distillationActors, distillationFeeding } from "./distillation-plan.ts";
import { type DistillationResults, distillationResultsOf } from "./distillation-results.ts";
import { distillationView } from "./distillation-view.ts";

const teaching: Teaching<DistillationSpec> = {
  teacherOf: ({ teacher }) => teacher,
  teacherModelOf,
  withTeacherModel: (spec, model: ModelSpec) => ({ ...spec, teacher: { ...spec.teacher, model } }),
  cacheOf: ({ cache }) => (cache.budgetMiB === 0 ? undefined : cache),
};

/** Batch norms of the adapters and of the local classifiers. */
function normsAtBoundaries(
  { student, sections }: DistillationSpec,
  slices: readonly SliceDescription[],
  teacherSlices: readonly SliceDescription[],
): TrainedNorm[] {
  return adaptersOf(student.model, slices, teacherSlices).flatMap((adapter, index) => {
    const shape = slices[index]?.outputShape ?? [];
    const isLast = index === slices.length - 1;
    return [
      ...adapter
        .filter(({ type }) => type === "batch_normalization")
        .map(({ name }) => ({ name: `the adapter's layer ${name}`, shape })),
      ...(isLast || sections.localCrossEntropy === 0 ? [] : [{ name: `the classifier of section ${index}`, shape }]),
    ];
  });
}

export const distillationKind: JobKind<DistillationSpec, DistillationResults> = {
  kind: "distillation",
  modelOf: ({ student }) => student.model,
  async slices(spec, describe) {
    const slices = await describe(spec.student.model);
    const teacherSlices = await describe(teacherModelOf(spec));
    matchSections(spec, slices, teacherSlices);
    const norms = [...normsOf(spec.student.model), ...normsAtBoundaries(spec, slices, teacherSlices)];
    checkBatchNorm({ spec: spec.name, batchKey: "batchSize", batchSize: spec.batchSize, norms });
    return { slices, teacherSlices };
  },
  frames: distillationFrames,
  phases: phasesOf,
  // The whole student begins with its sections.
  takesOver: (phase, before) => phase === "finetune" && before === "sections",
  actors: distillationActors,
  feeding: distillationFeeding,
  compose: createDistillationComposer,
  teaching,
  results: distillationResultsOf,
  view: distillationView,
};
