/** Inputs of a program as an inference request of the protocol: a JSON header and binary tensors after it. Pure. */
import { KnowledgeNetError } from "../errors/index.ts";
import type { OutputName } from "./decode-answer.ts";
import { OUTPUTS } from "./decode-answer.ts";

/**
 * - a tensor, row-major [n, ...input]: floats, or bytes that the network scales itself. Not written to until the answer
 * - image files, PNG or JPEG: one sample each
 */
export type InferenceInput =
  | Float32Array
  | Uint8Array
  | { readonly image: Uint8Array }
  | { readonly images: readonly Uint8Array[] };

export interface RequestFacts {
  readonly outputs: readonly OutputName[];
  /** Until the answer is of no use, ms. */
  readonly remainingMs: number;
  readonly priority: "interactive" | "bulk" | undefined;
  /** Whether the model's observers get the input; undefined: as the server does with all. */
  readonly observe: boolean | undefined;
}

/** A tensor as the protocol names it, and its bytes. */
export interface EncodedInput {
  readonly datatype: "FP32" | "UINT8" | "BYTES";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Of the protocol: 1 is served first. */
const PRIORITIES = { interactive: 1, bulk: 2 } as const;
const MICROSECONDS = 1_000;

/** @throws KN_SHAPE when `shape` has not the elements of the input */
export function encodeInput(input: InferenceInput, shapeOf: (elements: number) => readonly number[]): EncodedInput {
  if (input instanceof Float32Array) {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    return { datatype: "FP32", shape: checkedShape(shapeOf(input.length), input.length), bytes };
  }
  if (input instanceof Uint8Array) {
    return { datatype: "UINT8", shape: checkedShape(shapeOf(input.length), input.length), bytes: input };
  }
  const images = "image" in input ? [input.image] : input.images;
  return { datatype: "BYTES", shape: checkedShape([images.length], images.length), bytes: lengthPrefixed(images) };
}

/** Body of the request, in parts, and the bytes of its JSON. */
export function encodeRequest(
  input: EncodedInput,
  { outputs, remainingMs, priority, observe }: RequestFacts,
): { readonly parts: readonly Uint8Array[]; readonly headerBytes: number } {
  const header = Buffer.from(
    JSON.stringify({
      parameters: {
        timeout: Math.max(1, Math.floor(remainingMs * MICROSECONDS)),
        ...(priority === undefined ? {} : { priority: PRIORITIES[priority] }),
        ...(observe === undefined ? {} : { observe }),
      },
      inputs: [
        {
          name: "input",
          datatype: input.datatype,
          shape: input.shape,
          parameters: { binary_data_size: input.bytes.byteLength },
        },
      ],
      outputs: outputs.map((name) => ({ name: OUTPUTS[name], parameters: { binary_data: true } })),
    }),
  );
  return { parts: [header, input.bytes], headerBytes: header.byteLength };
}

function checkedShape(shape: readonly number[], elements: number): readonly number[] {
  const isValid = shape.length > 0 && shape.every((extent) => Number.isSafeInteger(extent) && extent > 0);
  if (isValid && shape.reduce((product, extent) => product * extent, 1) === elements) return shape;
  throw new KnowledgeNetError("KN_SHAPE", {
    attempt: "ask for an inference",
    rule: `the shape must have the ${elements} elements of the input, and 1 or more`,
    value: `[${shape.join(", ")}]`,
  });
}

/** BYTES of the protocol: u32 length, then the bytes, for each element. */
function lengthPrefixed(elements: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(elements.reduce((sum, { byteLength }) => sum + 4 + byteLength, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.byteLength, true);
    bytes.set(element, at + 4);
    at += 4 + element.byteLength;
  }
  return bytes;
}
