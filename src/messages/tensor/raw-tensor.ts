/** Tensors in messages of one piece, with values as they are. */
import type { TensorFields } from "../generated/knowledgenet.ts";
import { prepareTensor } from "./tensor-codec.ts";
import type { TensorView } from "./tensor-view.ts";

/** @throws KnowledgeNetError KN_NUMERIC on a value that is not finite; RangeError when shape and values disagree. */
export function rawTensor(tensor: TensorView): TensorFields {
  const prepared = prepareTensor(tensor, "raw");
  const data = new Uint8Array(prepared.dataBytes);
  prepared.fill(data, new Float32Array(0));
  return { ...prepared.fields, data };
}
