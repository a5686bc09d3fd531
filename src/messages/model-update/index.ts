/** Updates of a served model on the wire (docs/adr/0021-model-updates.md). Pure. */
export {
  type CodedTensor,
  codeTensor,
  type TensorChange,
  type TensorSelection,
  type ValueCodec,
  type ValueCoding,
} from "./coded-tensor.ts";
export { decodeFullUpdateRequest, encodeFullUpdateRequest, type FullUpdateRequest } from "./full-update-request.ts";
export {
  changeOf,
  decodeModelUpdate,
  encodeModelUpdate,
  type ModelUpdate,
  type NumberedWeights,
  type UpdateKind,
} from "./model-update.ts";
export {
  decodeSignedUpdate,
  encodeSignedUpdate,
  SIGNED_OVERHEAD_BYTES,
  type SignedUpdate,
} from "./signed-update.ts";
