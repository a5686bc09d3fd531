/**
 * The reliable stream: every frame of a sender reaches its receiver once and in order, over a bus that may lose,
 * duplicate and reorder messages, or the sender declares a gap. The protocol on one page: README.md.
 */
export { type Counters, createCounters } from "./counters.ts";
export { createDropCounters, type DropCounters, type DropReason } from "./drop-counters.ts";
export { createFenceGuard, type FenceGuard, FENCES_PER_SECOND } from "./fence-guard.ts";
export { createFrameReceiver, type FrameReceiverDeps } from "./frame-receiver.ts";
export { createFrameSender, type FrameSender } from "./frame-sender.ts";
export { createDrainTracker, type DrainTracker } from "./drain-tracker.ts";
export { createInputStream, type InputQueue, type InputStream } from "./input-stream.ts";
export { RETRANSMIT_AFTER_MS } from "./limits.ts";
export { MAX_REFUSALS } from "./refusals.ts";
export { createOutbox, type Outbox, type StreamPosition } from "./outbox.ts";
export { createSequenceGate, type GapCause, type SequenceGate } from "./sequence-gate.ts";
export { createStepAccount, parseCounts, type SkipCause, type StepAccount } from "./step-account.ts";
export { ownTensor } from "./own-tensor.ts";
