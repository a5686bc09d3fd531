/** What a checkpoint is on disk or in an object store: bytes to named tensors and back. */
export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.ts";
