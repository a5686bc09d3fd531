/**
 * One digest for all tensors of a model, whatever blobs they are stored in. SHA-256 of "knowledgenet.tensors.1\n", then for
 * each tensor, by name in UTF-16 code units, the line ["<name>","<dtype>",[<shape>]] and its values, little-endian.
 */
import { createHash } from "node:crypto";
import type { NamedTensors } from "../release.ts";

/** The order in which an update counts tensors. */
export function namesInOrder(tensors: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(tensors).sort();
}

/** 64 lower-case hex digits. 12 MB take some 10 to 40 ms. */
export function digestOfTensors(tensors: NamedTensors): string {
  const hash = createHash("sha256").update("knowledgenet.tensors.1\n");
  for (const name of namesInOrder(tensors)) {
    const tensor = tensors[name];
    if (tensor === undefined) continue;
    const { dtype, shape, values } = tensor;
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}
