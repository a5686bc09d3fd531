/**
 * Observes a run and checks its invariants under faults at every event: of each block, one incarnation at a time, no
 * batch applied twice, every batch accounted for.
 */
import type { Event } from "../../../src/messages/index.ts";
import { parseActorRef } from "../../../src/run-spec/index.ts";

export interface Audit {
  /** Takes an event in the order of arrival. */
  observe(event: Event): void;
  /** Violated invariants, oldest first; empty: none. */
  readonly violations: readonly string[];
  /** Events of blocks that were checked. */
  readonly checked: number;
  /** Incarnations seen, by block. */
  readonly incarnations: Readonly<Record<string, number>>;
}

interface Seen {
  readonly fence: number;
  readonly applied: number;
  readonly step: number;
  readonly pending: number;
  readonly incarnations: number;
}

export function createAudit(): Audit {
  const seen = new Map<string, Seen>();
  const violations: string[] = [];
  let checked = 0;

  return {
    observe({ header, fact }) {
      if (fact.kind !== "Progress" || parseActorRef(header.sender)?.kind !== "block") return;
      checked += 1;
      const { sender, fence } = header;
      const { applied, step, pending } = fact;
      const skipped = Object.values(fact.skipped).reduce((sum, count) => sum + count, 0);
      const before = seen.get(sender);
      const say = (what: string): void => {
        violations.push(`${sender} (fence ${fence}) at step ${step}: ${what}`);
      };
      if (applied + skipped + pending !== step) {
        say(`applied ${applied} + skipped ${skipped} + pending ${pending} is not ${step}`);
      }
      if (before !== undefined && fence < before.fence) {
        say(`a former incarnation published after fence ${before.fence}`);
        return;
      }
      const isSame = before?.fence === fence;
      if (isSame && (applied < before.applied || step < before.step)) {
        say(`went back from applied ${before.applied}, step ${before.step} to ${applied}, ${step}`);
      }
      // Batches pending before may have been applied since; otherwise no count exceeds the received batches.
      if (isSame && applied - before.applied > step - before.step + before.pending) {
        say(`applied ${applied - before.applied} batches in ${step - before.step} steps`);
      }
      const incarnations = (before?.incarnations ?? 0) + (isSame ? 0 : 1);
      seen.set(sender, { fence, applied, step, pending, incarnations });
    },
    violations,
    get checked() {
      return checked;
    },
    get incarnations() {
      return Object.fromEntries([...seen].map(([sender, { incarnations }]) => [sender, incarnations]));
    },
  };
}
