/**
 * The inputs of a student's section: joins their parts, queues complete ones, answers retransmissions, and
 * resynchronises with the feeder when inputs do not arrive that were consumed before a restart.
 */
import { type Activation, type ActorState } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { type DropCounters, type Outbox, RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import type { LearnerState } from "../link/index.ts";
import { createInputJoiner, type InputJoiner, type PartName } from "./input-joiner.ts";
import type { StudentSectionMessage } from "./student-section-messages.ts";
import type { SectionPlan } from "./student-section-plan.ts";

export interface SectionInputOptions {
  /** Complete inputs that may wait, and inputs that may wait for a part. */
  readonly depth: number;
  readonly plan: SectionPlan;
}

export interface SectionInputDeps {
  readonly clock: Clock;
  readonly drops: DropCounters;
  readonly learner: LearnerState;
  readonly outputs: Outbox;
  readonly put: (message: StudentSectionMessage) => boolean;
  readonly acknowledge: () => void;
  /** Asks the feeder where the run stands. Undefined when there is no feeder yet. */
  readonly askFeeder: () => Promise<ActorState | undefined>;
  readonly onMissing: (part: "input" | "hint") => void;
}

export interface SectionInput {
  /** Starts after what is consumed. */
  begin(): Promise<void>;
  /** @returns whether the stream advanced. */
  accept(name: PartName, part: Activation, receivedBytes: number): boolean;
  /** Inputs were taken from the mailbox: there is room for others. */
  taken(): void;
  /** Whether the next section may lack its part of a batch that this section has consumed. */
  wasConsumedHere(part: Activation): boolean;
}

export function createSectionInput({ depth, plan }: SectionInputOptions, deps: SectionInputDeps): SectionInput {
  const { clock, drops, learner, outputs, put, acknowledge, askFeeder, onMissing } = deps;
  let joiner: InputJoiner = createInputJoiner(0, { needs: plan.needs, depth });
  let askedMs = -Infinity;
  let isSkipping = false;
  let missing: "input" | "hint" = "input";
  /** Inputs in the mailbox: complete ones stay in the joiner while there is no room. */
  let waiting = 0;

  const enqueueReady = (): void => {
    while (waiting < depth) {
      const inputs = joiner.take();
      if (inputs === undefined) break;
      if (put({ kind: "inputs", inputs, gap: isSkipping ? "restarted" : undefined })) waiting += 1;
      else drops.count("overflow"); // the mailbox is closed
      isSkipping = false;
    }
    const part = joiner.missing === "hint" ? "hint" : "input";
    if (part !== missing) onMissing(part);
    missing = part;
  };

  /** Batches that a former incarnation consumed are not sent again: the feeder has the position. */
  const resyncWithFeeder = async (): Promise<void> => {
    askedMs = clock.now();
    const feeder = await askFeeder();
    if (feeder === undefined || feeder.progress.consumed < joiner.next) return;
    isSkipping = true;
    joiner.skipTo(feeder.progress.consumed + 1);
    enqueueReady();
  };

  /**
   * In evaluation a section further behind may lack it, which gets nothing but through all sections between; a repeated
   * forward costs little.
   */
  const wasConsumedHere = ({ phase, header: { sequence, step } }: Activation): boolean =>
    sequence <= learner.consumed &&
    plan.sendsOn(phase, step) &&
    (phase === "evaluate" || sequence > outputs.acknowledged);

  /** A sender retransmits: our progress was lost, or the next section lacks our output. */
  const answer = (name: PartName, part: Activation): void => {
    const { header, phase } = part;
    if (outputs.keeps(header.sequence)) outputs.retransmit(header.sequence);
    else if (name === plan.startsFrom(phase) && wasConsumedHere(part) && !put({ kind: "recompute", input: part }))
      drops.count("overflow"); // the sender retransmits
    acknowledge();
  };

  return {
    wasConsumedHere,
    async begin() {
      joiner = createInputJoiner(learner.consumed, { needs: plan.needs, depth });
      await resyncWithFeeder();
    },
    accept(name, part, receivedBytes) {
      const arrival = joiner.add(name, part, receivedBytes);
      if (arrival === "kept") {
        enqueueReady();
        // Later inputs arrive and the next do not: they may have been consumed before a restart.
        if (joiner.newest > joiner.next && clock.now() - askedMs > RETRANSMIT_AFTER_MS) void resyncWithFeeder();
        return true;
      }
      if (arrival !== "unexpected") drops.count(arrival);
      if (arrival === "duplicate" && name !== "hint") answer(name, part);
      return false;
    },
    taken() {
      waiting -= 1;
      enqueueReady();
    },
  };
}
