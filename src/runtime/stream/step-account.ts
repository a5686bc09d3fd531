/**
 * Accounts for every training batch of one block or section: applied, skipped by cause, or pending. Each count is taken where it
 * happens, so that `applied + skipped + pending = step` is a check and not a definition.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Counters, createCounters } from "./counters.ts";
import { type GapCause } from "./sequence-gate.ts";

/**
 * Why the weights do not include a batch: gone by between a checkpoint and the return from it; lost with the block
 * before, which restarted; left out for a newer one; refused; its gradient did not come in time.
 */
export type SkipCause = GapCause | "refused" | "unanswered";

export interface StepAccount {
  /** Newest training step that was taken. */
  readonly step: number;
  readonly skipped: Counters<SkipCause>;
  /** A batch is taken in: what lies between it and the one before was passed over. */
  take(step: number, isTraining: boolean, gap: GapCause | undefined): void;
  /** @throws KnowledgeNetError KN_INVARIANT when this batch was applied before. */
  apply(step: number): void;
  /** As strings, for a checkpoint's metadata. @param isOpen the newest batch is to come again: it is left out. @default false */
  save(isOpen?: boolean): Readonly<Record<"step" | "skipped", string>>;
}

/** Steps remembered to notice a second application: more than can be under way. */
const REMEMBERED_STEPS = 4096;

/** @param saved what `save` gave, of the checkpoint that the block came back from. */
export function createStepAccount(saved?: Readonly<Record<string, string>>): StepAccount {
  let step = Number(saved?.step ?? 0);
  const skipped = createCounters<SkipCause>(parseCounts(saved?.skipped));
  const appliedSteps = new Set<number>();
  return {
    get step() {
      return step;
    },
    skipped,
    take(taken, isTraining, gap) {
      // In evaluation the header carries the last training step before it.
      const missed = taken - step - (isTraining ? 1 : 0);
      if (missed > 0) skipped.count(gap ?? "restarted", missed);
      step = Math.max(step, taken);
    },
    apply(applied) {
      if (appliedSteps.has(applied)) {
        throw new KnowledgeNetError("KN_INVARIANT", {
          attempt: "count an update",
          rule: "no batch may be applied twice",
          value: `step ${applied}`,
        });
      }
      appliedSteps.add(applied);
      if (appliedSteps.size <= REMEMBERED_STEPS) return;
      for (const oldest of appliedSteps) {
        appliedSteps.delete(oldest);
        break;
      }
    },
    save: (isOpen = false) => ({
      step: String(step - (isOpen ? 1 : 0)),
      skipped: JSON.stringify(skipped.snapshot()),
    }),
  };
}

/** Counts as they stand in a checkpoint's metadata. */
export function parseCounts(text: string | undefined): Readonly<Record<string, number>> {
  return JSON.parse(text ?? "{}") as Readonly<Record<string, number>>;
}
