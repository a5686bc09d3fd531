/** The schemas of all job kinds, by the spec's `kind`. A kind in this table needs a `JobKind` in src/jobs/kinds. */
import { z } from "zod";
import { type DistillationSpec, distillationSpecSchema, PHASES } from "./distillation-spec.ts";
import { type TrainingSpec, trainingSpecSchema } from "./training-spec.ts";

export const SPEC_SCHEMAS = { training: trainingSpecSchema, distillation: distillationSpecSchema } as const;

export type SpecKind = keyof typeof SPEC_SCHEMAS;
export const SPEC_KINDS = Object.keys(SPEC_SCHEMAS) as readonly SpecKind[];

/** The spec of any job. */
export type RunSpec = TrainingSpec | DistillationSpec;
/** A spec as it is stored: defaults filled in. */
export const runSpecSchema = z.discriminatedUnion("kind", [trainingSpecSchema, distillationSpecSchema]);

/** The phase of a job that has only one. */
export const TRAINING = "training" as const;
/** The phases of all kinds; `phases()` of a job kind lists those of a run, in order. */
export const RUN_PHASES = [TRAINING, ...PHASES] as const;
export type RunPhase = (typeof RUN_PHASES)[number];
