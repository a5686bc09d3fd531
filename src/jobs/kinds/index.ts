/** All job kinds. */
import type { RunSpec, SpecKind } from "../../run-spec/index.ts";
import type { JobKind } from "../job-kind.ts";
import { distillationKind } from "./distillation/index.ts";
import { trainingKind } from "./training/index.ts";

const KINDS = { training: trainingKind, distillation: distillationKind } as const satisfies Record<SpecKind, unknown>;

/** The job kind of a spec. Every question about a run that depends on its kind goes through it. */
export function jobKindOf<S extends RunSpec>(spec: S): JobKind<S> {
  return KINDS[spec.kind] as unknown as JobKind<S>;
}
