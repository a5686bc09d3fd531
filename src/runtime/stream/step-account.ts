/**
 * Accounts for every training batch of one block or section: applied, skipped by cause, or pending. Each is counted
 * where it happens, so that `applied + skipped + pending = step` is a check and not a definition.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Counters, createCounters } from "./counters.ts";
import { type GapCause } from "./sequence-gate.ts";

/**
 * Why the weights do not include a batch: it was consumed between the checkpoint and a restart from it; it was lost
 * when the block before restarted; it was dropped for a newer one; it was refused; its gradient did not arrive in time.
 */
export type SkipCause = GapCause | "refused" | "unanswered";

export interface StepAccount {
  /** Newest training step that was taken. */
  readonly step: number;
  readonly skipped: Counters<SkipCause>;
  /** A batch is taken; the steps between it and the one before were skipped. */
  take(step: number, isTraining: boolean, gap: GapCause | undefined): void;
  /** @throws KnowledgeNetError KN_INVARIANT when this batch was applied before. */
  apply(step: number): void;
  /**
   * As strings, for a checkpoint's metadata. @param isOpen the newest batch will be sent again and is not counted.
   * @default false
   */
  save(isOpen?: boolean): Readonly<Record<"step" | "skipped", string>>;
}

/** Steps remembered to detect a second application: more than can be in flight. */
const REMEMBERED_STEPS = 4096;

/** @param saved result of `save`, from the checkpoint of the restored block. */
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
      const skippedSteps = taken - step - (isTraining ? 1 : 0);
      if (skippedSteps > 0) skipped.count(gap ?? "restarted", skippedSteps);
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

/** Counts from a checkpoint's metadata. */
export function parseCounts(text: string | undefined): Readonly<Record<string, number>> {
  return JSON.parse(text ?? "{}") as Readonly<Record<string, number>>;
}
