/**
 * The messages of the bus as plain values: bytes to typed messages and back, and the names of subjects.
 * Pure: no I/O, no clock, no randomness. For any input a decoder returns a valid value or throws KN_DECODE (KN_STALE).
 *
 * @example
 * bus.publish(runSubject("demo", "act", 0), encodeActivation(activation, "int8-channel"));
 *
 * const frame = decodeFrame(message.data, { maxBytes: 8 * 1024 * 1024 });
 * if (frame.kind === "activation") train(frame.activation);
 */
export {
  type ActorState,
  type Command,
  type CommandReply,
  decodeCommand,
  decodeCommandReply,
  encodeCommand,
  encodeCommandReply,
} from "./control/command.ts";
export { decodeEvent, encodeEvent, type Event, type Fact } from "./control/event.ts";
export {
  type CheckpointSaved,
  type EvaluationMeasured,
  type FeederMark,
  type GradientQuality,
  NO_PROGRESS,
  type Progress,
  type SourceSwitched,
  type StateEntered,
  type TeacherChanged,
} from "./control/facts.ts";
export { errorOf, type Failure, failureOf } from "./control/failure.ts";
export type { HeldRelease, ReplicaState } from "./control/replica-state.ts";
export type { Chunk } from "./frame/chunk.ts";
export {
  type ChunkAssembler,
  type ChunkAssemblerOptions,
  createChunkAssembler,
  largestFrameBytes,
  splitFrame,
} from "./frame/chunking.ts";
export {
  type Activation,
  type DecodeLimits,
  decodeFrame,
  encodeActivation,
  encodeActivationOfRows,
  encodeGap,
  encodeGradient,
  type Frame,
  type Gap,
  type Gradient,
  type GradientOrigin,
  type BatchProvenance,
  type Phase,
} from "./frame/frame.ts";
export {
  activationFrameBytes,
  DEFAULT_MAX_FRAME_BYTES,
  type FrameShape,
  gradientFrameBytes,
} from "./frame/frame-size.ts";
export * from "./model-update/index.ts";
export * from "./observation/index.ts";
export {
  encodeStageBatch,
  encodeStageResult,
  MAX_BATCH_SAMPLES,
  type StageBatch,
  type StageResult,
} from "./frame/stage.ts";
export {
  decodeInferReply,
  decodeInferRequest,
  encodeInferReply,
  encodeInferRequest,
  type InferReply,
  type InferRequest,
} from "./serving/infer.ts";
export { decodeServingPressure, encodeServingPressure, type ServingPressure } from "./serving/pressure.ts";
export * from "./subjects/index.ts";
export { isAllFinite } from "./codecs/finite.ts";
export { type EncodedRows, encodedRowBytes, encodeRows, type RowCodec } from "./tensor/encoded-rows.ts";
export { encodedTensorBytes, type TensorCodec } from "./tensor/tensor-codec.ts";
export { rowsOf, stack } from "./tensor/tensor-rows.ts";
export { copyTensor, type DType, type TensorView } from "./tensor/tensor-view.ts";
export type { Header } from "./wire/header.ts";
