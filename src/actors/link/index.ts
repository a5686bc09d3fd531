/** What kinds of actors share: how tensors enter and leave, what each is given, and what it accounts for. Kinds never import one another. */
export { type ActorDeps, type ActorOptions, MAX_FRAME_BYTES, RESEND_AFTER_MS } from "./actor-deps.ts";
export { createFrameReceiver, type FrameReceiverDeps } from "./frame-receiver.ts";
export { createFrameSender, type FrameSender } from "./frame-sender.ts";
export { createHandover, type Handover } from "./handover.ts";
export { createEvaluationTally, type EvaluationTally } from "./evaluation-tally.ts";
export { createStepAccount, parseCounts, type StepAccount } from "./step-account.ts";
