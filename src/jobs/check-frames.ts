/**
 * The sizes of a run's frames, and what has to be refused because of them: a frame that its receiver or the bus cannot
 * carry would be retransmitted for ever.
 */
import type { SliceDescription } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { activationFrameBytes, gradientFrameBytes, largestFrameBytes, type TensorCodec } from "../messages/index.ts";
import { boundariesOf, maxFrameBytesOf, type RunSpec } from "../run-spec/index.ts";
import type { RunSlices } from "./run-plan.ts";
import { hintCodec, wireCodec } from "./wire-codec.ts";

/** One kind of frame of a run. */
export interface PlannedFrame {
  /** What travels where, for a reader: "the activation at boundary 0 (after relu1)". */
  readonly what: string;
  /** Key of the spec that sets the batch, and its value. */
  readonly batchKey: string;
  readonly batch: number;
  /** Key of the spec that sets the codec; undefined: images travel as they are. */
  readonly codecKey: string | undefined;
  /** Upper bound. */
  readonly bytes: number;
  /** Grows with the batch by this, bytes. */
  readonly bytesPerSample: number;
  /** Index of the teacher section that receives it, of a distillation run. */
  readonly teacher?: number;
}

/** Every kind of frame that a run sends, for training and evaluation, forward and backward. */
export function planFrames(spec: RunSpec, { slices, teacherSlices }: RunSlices): PlannedFrame[] {
  return spec.kind === "training" ? framesOfTraining(spec, slices) : framesOfDistillation(spec, slices, teacherSlices);
}

/** @throws KnowledgeNetError KN_CONFIG when a frame exceeds `flow.maxFrameMiB`. */
export function checkFrames(spec: RunSpec, slices: RunSlices): void {
  const limit = maxFrameBytesOf(spec);
  for (const frame of planFrames(spec, slices)) {
    if (frame.bytes > limit) {
      throw refuse(
        spec,
        frame,
        limit,
        `a frame must have at most ${limit} bytes (flow.maxFrameMiB)`,
        "raise flow.maxFrameMiB",
      );
    }
  }
}

/**
 * @throws KnowledgeNetError KN_CONFIG when the bus cannot carry a frame in chunks, or would cut a lesson that replicas of a
 * teacher section share: its chunks would go to different replicas.
 */
export function checkBus(spec: RunSpec, slices: RunSlices, bus: { readonly maxPayloadBytes: number }): void {
  const { maxPayloadBytes } = bus;
  const limit = largestFrameBytes(maxPayloadBytes);
  const isShared = spec.kind === "distillation" && spec.teacher.replicas > 1;
  const remedy = "raise `max_payload` in the server's configuration";
  for (const frame of planFrames(spec, slices)) {
    if (isShared && frame.teacher !== undefined && frame.bytes > maxPayloadBytes) {
      const rule = `replicas of a teacher section share whole messages, of at most ${maxPayloadBytes} bytes (max_payload)`;
      throw refuse(spec, frame, maxPayloadBytes, rule, `${remedy}, or set teacher.replicas: 1`);
    }
    if (frame.bytes > limit) {
      const rule = `the bus carries frames of at most ${limit} bytes (max_payload is ${maxPayloadBytes})`;
      throw refuse(spec, frame, limit, rule, remedy);
    }
  }
}

function refuse(spec: RunSpec, frame: PlannedFrame, limit: number, rule: string, remedy: string): KnowledgeNetError {
  const { what, batchKey, batch, bytes, bytesPerSample, codecKey } = frame;
  const fitting = batch - Math.ceil((bytes - limit) / bytesPerSample);
  const smaller = fitting > 0 ? [`lower ${batchKey} to at most ${fitting}`] : [];
  const codec = codecKey === undefined ? [] : [`set ${codecKey}: int8-block`];
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `plan ${spec.name}`,
    rule: `${rule}: ${what}, ${batchKey} ${batch}`,
    value: `${bytes} bytes`,
    remedy: [...smaller, ...codec, remedy].join(", or "),
  });
}

/** Sizes for each batch size of the run. @param bytesOf a frame of `batch` samples */
function forBatches(
  batches: readonly (readonly [string, number])[],
  frame: { readonly what: string; readonly codecKey: string | undefined; readonly teacher?: number },
  bytesOf: (batch: number) => number,
): PlannedFrame[] {
  return batches.map(([batchKey, batch]) => {
    const bytes = bytesOf(batch);
    return { ...frame, batchKey, batch, bytes, bytesPerSample: Math.max(1, bytesOf(batch + 1) - bytes) };
  });
}

function framesOfTraining(
  spec: Extract<RunSpec, { readonly kind: "training" }>,
  slices: readonly SliceDescription[],
): PlannedFrame[] {
  const { training, evaluation, codecs, model } = spec;
  const trained = [["training.batchSize", training.batchSize]] as const;
  const all = [...trained, ["evaluation.batchSize", evaluation.batchSize]] as const;
  const images = forBatches(
    all,
    { what: "the images for block-0", codecKey: undefined },
    imageBytes(model.input, false),
  );
  const between = boundariesOf(spec).flatMap(({ index, name }) => {
    const shape = slices[index]?.outputShape ?? [];
    const at = `at boundary ${index} (after ${name})`;
    const activation = { what: `the activation ${at}`, codecKey: "codecs.activation" };
    const gradient = { what: `the gradient ${at}`, codecKey: "codecs.gradient" };
    return [
      ...forBatches(all, activation, floatBytes(shape, wireCodec(codecs.activation), false)),
      ...forBatches(trained, gradient, (batch) =>
        gradientFrameBytes({ shape: [batch, ...shape], codec: wireCodec(codecs.gradient) }),
      ),
    ];
  });
  return [...images, ...between];
}

function framesOfDistillation(
  spec: Extract<RunSpec, { readonly kind: "distillation" }>,
  slices: readonly SliceDescription[],
  teacherSlices: readonly SliceDescription[],
): PlannedFrame[] {
  const { batchSize, evaluation, codecs, student } = spec;
  const all = [
    ["batchSize", batchSize],
    ["evaluation.batchSize", evaluation.batchSize],
  ] as const;
  const images = { what: "the images for section 0", codecKey: undefined, teacher: 0 };
  const hints = teacherSlices.flatMap(({ outputShape }, index) => {
    const hint = { what: `the hint of teacher section ${index}`, codecKey: "codecs.hint" };
    // The hint of the last section goes to the student alone.
    const receiver = index + 1 < teacherSlices.length ? { teacher: index + 1 } : {};
    return forBatches(all, { ...hint, ...receiver }, floatBytes(outputShape, hintCodec(codecs.hint), true));
  });
  const outputs = slices.slice(0, -1).flatMap(({ outputShape }, index) => {
    const output = { what: `the activation of student section ${index}`, codecKey: "codecs.activation" };
    return forBatches(all, output, floatBytes(outputShape, wireCodec(codecs.activation), true));
  });
  return [...forBatches(all, images, imageBytes(student.model.input, true)), ...hints, ...outputs];
}

/** Images travel as they are, a byte for each value. */
function imageBytes(shape: readonly number[], hasLesson: boolean): (batch: number) => number {
  return (batch) => activationFrameBytes({ shape: [batch, ...shape], dtype: "u8", codec: "raw" }, hasLesson);
}

function floatBytes(shape: readonly number[], codec: TensorCodec, hasLesson: boolean): (batch: number) => number {
  return (batch) => activationFrameBytes({ shape: [batch, ...shape], codec }, hasLesson);
}
