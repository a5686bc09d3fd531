/** A labelled input and its address. */
import { createHash } from "node:crypto";

export interface LabelledInput {
  /** Elements of the sample shape, borrowed: not to be changed while it is held. */
  readonly values: Uint8Array | Float32Array;
  /** [classes], finite: the oracle's scores, the greatest of which names the class. Borrowed, too. */
  readonly softLabel: Float32Array;
  readonly oracleVersion: string;
  /** In which the input was observed, 0 or more. */
  readonly window: number;
}

export interface ReplaySample extends LabelledInput {
  /** SHA-256 of the values' bytes, hexadecimal. */
  readonly digest: string;
}

/** Why a labelled input was not taken. */
export type NotTaken = "duplicate" | "otherVersion" | "invalid";

/** SHA-256 of the bytes of an input, hexadecimal. */
export function contentDigest({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array): string {
  return createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");
}
