/** What all kinds of actors share: how tensors enter and leave, and what each is given. Kinds never import one another. */
export { type ActorDeps, type ActorOptions, MAX_FRAME_BYTES, RESEND_AFTER_MS } from "./actor-deps.ts";
export { createFrameReceiver, type FrameReceiverDeps } from "./frame-receiver.ts";
export { createFrameSender, type FrameSender } from "./frame-sender.ts";
