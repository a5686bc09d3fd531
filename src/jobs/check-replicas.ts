/** Copies of a teacher section share its lessons, message by message: a lesson must be one message. */
import type { SliceDescription } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import { encodedRowBytes } from "../messages/index.ts";
import type { RunSpec } from "../run-spec/index.ts";
import { hintCodec } from "./wire-codec.ts";

/** Header, labels and names of the samples, at most. */
const overheadBytes = (batchSize: number): number => 1024 + 16 * batchSize;

/** @throws KnowledgeNetError KN_CONFIG when the bus would cut a lesson into pieces, which then go to different copies. */
export function checkReplicas(
  spec: RunSpec,
  teacherSlices: readonly SliceDescription[],
  { maxPayloadBytes }: { readonly maxPayloadBytes: number },
): void {
  if (spec.kind === "training" || spec.teacher.replicas === 1) return;
  for (const [index, { inputShape }] of teacherSlices.entries()) {
    const batchSize = Math.max(spec.batchSize, spec.evaluation.batchSize);
    // The first section hears images as they are, a byte for each value; the others what the section before says.
    const rowBytes =
      index === 0 ? inputShape.reduce((a, b) => a * b, 1) : encodedRowBytes(inputShape, hintCodec(spec.codecs.hint));
    const bytes = batchSize * rowBytes + overheadBytes(batchSize);
    if (bytes <= maxPayloadBytes) continue;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `share the lessons of teacher section ${index} among ${spec.teacher.replicas} copies`,
      rule: `a lesson must be one message of at most ${maxPayloadBytes} bytes`,
      value: `${bytes} bytes`,
      remedy:
        "smaller batches (batchSize, evaluation.batchSize), codecs.hint: int8-block, or a larger max_payload on the server",
    });
  }
}
