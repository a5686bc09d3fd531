/** Frames of a distillation run: batches to section 0, hints, activations between the student's sections. */
import type { DistillationSpec } from "../../../run-spec/index.ts";
import { floatBytes, forBatches, imageBytes, type PlannedFrame } from "../../planned-frame.ts";
import type { RunSlices } from "../../run-parts.ts";
import { hintCodec, wireCodec } from "../../wire-codec.ts";

export function distillationFrames(spec: DistillationSpec, { slices, teacherSlices }: RunSlices): PlannedFrame[] {
  const { batchSize, evaluation, codecs, student, teacher } = spec;
  const all = [
    ["batchSize", batchSize],
    ["evaluation.batchSize", evaluation.batchSize],
  ] as const;
  const hasReplicas = teacher.replicas > 1;
  const images = { what: "the images for section 0", codecKey: undefined, isShared: hasReplicas };
  const hints = teacherSlices.flatMap(({ outputShape }, index) => {
    // The hint of the last section goes to the student alone.
    const isShared = hasReplicas && index + 1 < teacherSlices.length;
    const hint = { what: `the hint of teacher section ${index}`, codecKey: "codecs.hint", isShared };
    return forBatches(all, hint, floatBytes(outputShape, hintCodec(codecs.hint), true));
  });
  const outputs = slices.slice(0, -1).flatMap(({ outputShape }, index) => {
    const output = { what: `the activation of student section ${index}`, codecKey: "codecs.activation" };
    return forBatches(all, output, floatBytes(outputShape, wireCodec(codecs.activation), true));
  });
  return [...forBatches(all, images, imageBytes(student.model.input, true)), ...hints, ...outputs];
}
