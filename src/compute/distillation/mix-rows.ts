/** The input of a student's section: for each sample the activation of the teacher or of the student's own section. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { deriveSeed } from "../nn/index.ts";
import type { TensorData } from "../tensor-data.ts";

/**
 * `teacher` and `own` [batch, ...features], borrowed. Each row is drawn independently, from (seed, row): own with
 * probability
 * `ownShare`.
 * @returns `teacher` or `own` itself where no row of the other is drawn, else a new tensor.
 * @throws KnowledgeNetError KN_SHAPE when the two differ; TypeError when `own` is needed and absent.
 */
export function mixRows(teacher: TensorData, own: TensorData | undefined, ownShare: number, seed: number): TensorData {
  if (ownShare <= 0) return teacher;
  if (own === undefined) throw new TypeError(`a share of ${ownShare} needs the student's own input`);
  if (teacher.dtype !== "f32" || own.dtype !== "f32" || teacher.shape.join() !== own.shape.join()) {
    throw new KnowledgeNetError("KN_SHAPE", {
      attempt: "mix a section's input",
      rule: `the student's own must be f32 [${teacher.shape.join(", ")}] like the teacher's`,
      value: `${own.dtype} [${own.shape.join(", ")}]`,
      remedy: "give the student the teacher's boundaries, or an adapter",
    });
  }
  if (ownShare >= 1) return own;
  const [batch = 1] = teacher.shape;
  const rowLength = teacher.values.length / batch;
  const values = teacher.values.slice();
  for (let row = 0; row < batch; row += 1) {
    if (deriveSeed(seed, String(row)) / 2 ** 31 >= ownShare) continue;
    values.set(own.values.subarray(row * rowLength, (row + 1) * rowLength), row * rowLength);
  }
  return { dtype: "f32", shape: teacher.shape, values };
}
