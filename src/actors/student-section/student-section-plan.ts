/** What a section needs of a batch, and whether it sends its output on: by phase and step, from its options alone. Pure. */
import type { Activation, Phase } from "../../messages/index.ts";
import { ownShareAt } from "../../run-spec/index.ts";
import type { PartName } from "./input-joiner.ts";
import type { StudentSectionActorOptions } from "./student-section-options.ts";

export interface SectionPlan {
  /** Share of the section's own input in training, 0 to 1. */
  ownShare(step: number): number;
  /** Whether the next section learns, or is measured, from this section's output. */
  sendsOn(phase: Phase, step: number): boolean;
  /** The part that its forward begins with: in evaluation the student works without the teacher's boundaries. */
  startsFrom(phase: Phase): PartName;
  needs(part: Activation): PartName[];
}

export function createSectionPlan(options: StudentSectionActorOptions): SectionPlan {
  const { first, last, sections, isTaught, ownInput, totalSteps, next } = options;
  const ownShare = (step: number): number => (first === 0 ? 0 : ownShareAt(step, totalSteps, ownInput));
  const startsFrom = (phase: Phase): PartName => (phase === "evaluate" && first > 0 ? "own" : "input");
  return {
    ownShare,
    startsFrom,
    sendsOn: (phase, step) =>
      next !== undefined && (phase === "evaluate" || (phase === "train" && ownShareAt(step, totalSteps, ownInput) > 0)),
    needs({ phase, header }) {
      if (phase === "recalibrate") return ["input"];
      if (phase === "evaluate")
        return [startsFrom(phase), ...(isTaught && last === sections - 1 ? ["hint" as const] : [])];
      const own = ownShare(header.step) > 0 ? ["own" as const] : [];
      return ["input", ...(isTaught ? ["hint" as const] : []), ...own];
    },
  };
}
