/**
 * Distillation: a student cut like its teacher, every section supervised by its section, then the student as a whole.
 */
import { type DistillationSpec, type ModelSpec, phasesOf } from "../../../run-spec/index.ts";
import type { JobKind, Teaching } from "../../job-kind.ts";
import { matchSections, teacherModelOf } from "../../match-sections.ts";
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

export const distillationKind: JobKind<DistillationSpec, DistillationResults> = {
  kind: "distillation",
  modelOf: ({ student }) => student.model,
  async slices(spec, describe) {
    const slices = await describe(spec.student.model);
    const teacherSlices = await describe(teacherModelOf(spec));
    matchSections(spec, slices, teacherSlices);
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
