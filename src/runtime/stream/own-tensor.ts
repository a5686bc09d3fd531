/** Tensors of a message that is only lent for the length of its handler. */
import { copyTensor, type TensorView } from "../../messages/index.ts";

/** `tensor` itself, or a copy where the decoded view lies on `message`. */
export function ownTensor(tensor: TensorView, message: Uint8Array): TensorView {
  return tensor.values.buffer === message.buffer ? copyTensor(tensor) : tensor;
}
