/** What the student was trained for before the stream, with what it answered then: it is to keep that. */
import { rowsOf, type TensorView } from "../../messages/index.ts";
import type { FollowerDeps } from "./follower-options.ts";

/** [n, ...sample], and logits [n, classes]. */
export interface Rehearsal {
  readonly inputs: TensorView;
  readonly logits: Float32Array;
}

const BATCH = 250;

/**
 * Not the oracle's answers: one that knows all of the world may be worse than the student on the part that it came from, and
 * would pull it below what must not be forgotten.
 * @param key of the weights that the student begins with
 */
export async function rehearsalOf(
  inputs: TensorView,
  key: number,
  { lab }: Pick<FollowerDeps, "lab">,
): Promise<Rehearsal> {
  const rows = inputs.shape[0] ?? 0;
  const parts: Float32Array[] = [];
  for (let from = 0; from < rows; from += BATCH) {
    const { logits } = await lab.answer(key, rowsOf(inputs, from, Math.min(rows, from + BATCH)));
    parts.push(logits);
  }
  const logits = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    logits.set(part, at);
    at += part.length;
  }
  return { inputs, logits };
}
