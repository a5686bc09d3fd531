/** The state of a gradient model beside its weights: what it has learnt from and predicted, and its figures. No effects. */
import type { GradientQuality, Plane, Progress } from "../../messages/index.ts";
import type { StatePosition } from "../../runtime/actor/index.ts";
import { type Counters, createCounters, type DropCounters, parseCounts } from "../../runtime/stream/index.ts";

export interface GradientModelState {
  /** Updates of its weights. */
  readonly updates: number;
  /** Training step of the newest gradient that it has learnt from. */
  readonly learntStep: number;
  /** Newest step that its block has reported. */
  readonly blockStep: number;
  /** Newest step that waits for a prediction, or has got one. */
  readonly predictedStep: number;
  learnt(step: number, quality: GradientQuality): void;
  queuePrediction(step: number): void;
  /** A block that repeats steps after its own restart needs their predictions again. @param retain steps kept */
  followBlock(step: number, retain: number): void;
  note(computeMs: number, receivedBytes: number): void;
  countSent(plane: Plane, bytes: number): void;
  progress(): Progress;
  position(): StatePosition;
  save(): Readonly<Record<string, string>>;
  restore(saved: Readonly<Record<string, string>>): void;
}

export function createGradientModelState(drops: DropCounters): GradientModelState {
  let sent: Counters<Plane> = createCounters();
  let updates = 0;
  let learntStep = 0;
  let blockStep = 0;
  let predictedStep = 0;
  let quality: GradientQuality | undefined;
  let last = { computeMs: 0, receivedBytes: 0 };
  return {
    get updates() {
      return updates;
    },
    get learntStep() {
      return learntStep;
    },
    get blockStep() {
      return blockStep;
    },
    get predictedStep() {
      return predictedStep;
    },
    learnt(step, measured) {
      updates = measured.updates;
      learntStep = step;
      quality = measured;
    },
    queuePrediction(step) {
      predictedStep = step;
    },
    followBlock(step, retain) {
      if (step < predictedStep - retain) predictedStep = step;
      blockStep = Math.max(blockStep, step);
    },
    note(computeMs, receivedBytes) {
      last = { computeMs, receivedBytes };
    },
    countSent(plane, bytes) {
      sent.count(plane, bytes);
    },
    progress: () => ({
      kind: "Progress",
      consumed: 0, // it takes no part in the flow control
      applied: updates,
      stalenessSteps: Math.max(0, blockStep - learntStep),
      ...last,
      drops: drops.snapshot(),
      skipped: {},
      pending: 0,
      sentBytes: sent.snapshot(),
      step: learntStep,
      ...(quality === undefined ? {} : { quality }),
    }),
    position: () => ({ step: blockStep, finished: blockStep, consumed: 0, applied: updates }),
    save: () => ({ version: String(updates), step: String(learntStep), sentBytes: JSON.stringify(sent.snapshot()) }),
    restore(saved) {
      updates = Number(saved.version);
      learntStep = Number(saved.step);
      predictedStep = learntStep;
      blockStep = Math.max(blockStep, learntStep);
      sent = createCounters(parseCounts(saved.sentBytes));
    },
  };
}
