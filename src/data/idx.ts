/** The IDX format of the MNIST files (LeCun, Cortes, Burges): magic, extents as big-endian u32, then u8 elements. */
import { KnowledgeNetError } from "../errors/index.ts";

export interface IdxContent {
  readonly shape: readonly number[];
  /** A view on the input. */
  readonly values: Uint8Array;
}

/** @throws KnowledgeNetError KN_CONFIG when `bytes` is not a whole IDX file of unsigned bytes with `rank` axes. */
export function readIdx(bytes: Uint8Array, rank: number, file: string): IdxContent {
  const refuse = (rule: string, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `read ${file}`,
      rule,
      value,
      remedy: "replace it by the original, uncompressed file, or point --data / KN_DATA elsewhere",
    });
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes)
    throw refuse(`an IDX file has a header of ${headerBytes} bytes`, `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const expected = (0x08 << 8) | rank;
  if (magic !== expected) throw refuse(`it must begin with the IDX magic ${hex(expected)}`, hex(magic));
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (bytes.length !== headerBytes + size) {
    throw refuse(`[${shape.join(", ")}] must take ${headerBytes + size} bytes`, `${bytes.length} bytes`);
  }
  return { shape, values: bytes.subarray(headerBytes) };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
