/**
 * Data types of the Open Inference Protocol, version 2 ("Tensor Data Types"). A request may name any of them; ours take
 * those of `INPUT_DATATYPES`, and refuse the others by name instead of as unknown.
 */
export const DATATYPES = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "FP32",
  "FP64",
  "BF16",
  "BYTES",
] as const;

/** What a network of ours can be given: f32, u8, and files of images. */
export const INPUT_DATATYPES = ["FP32", "UINT8", "BYTES"] as const;
export type InputDatatype = (typeof INPUT_DATATYPES)[number];

export type Datatype = (typeof DATATYPES)[number];

/** Bytes of an element in binary data; BYTES have a length of their own. */
export const DATATYPE_BYTES = { FP32: 4, UINT8: 1 } as const;

export function isInputDatatype(text: unknown): text is InputDatatype {
  return (INPUT_DATATYPES as readonly unknown[]).includes(text);
}
