/** The format of a checkpoint: bytes to named tensors and back. */
export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.ts";
