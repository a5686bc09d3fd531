/** The answer to a request for inference: JSON, then the bytes of each binary output in the order of the outputs. */

export type AnswerOutput = { readonly name: string; readonly shape: readonly number[]; readonly isBinary: boolean } & (
  | { readonly datatype: "FP32"; readonly elements: Float32Array }
  | { readonly datatype: "BYTES"; readonly elements: readonly string[] }
);

export interface OpenInferenceAnswer {
  readonly model: string;
  readonly version: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, number | string | boolean>>;
  readonly outputs: readonly AnswerOutput[];
}

export interface EncodedAnswer {
  readonly body: Uint8Array;
  /** Bytes of the JSON, for `Inference-Header-Content-Length`; absent: all of them are. */
  readonly headerLength?: number;
}

export function encodeOpenInferenceAnswer(answer: OpenInferenceAnswer): EncodedAnswer {
  const { model, version, id, parameters, outputs } = answer;
  const binary: Uint8Array[] = [];
  const json = JSON.stringify({
    model_name: model,
    model_version: version,
    ...(id === undefined ? {} : { id }),
    ...(parameters === undefined ? {} : { parameters }),
    outputs: outputs.map((output) => {
      const { name, datatype, shape } = output;
      if (!output.isBinary) return { name, datatype, shape, data: jsonDataOf(output) };
      const bytes = binaryDataOf(output);
      binary.push(bytes);
      return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
    }),
  });
  const header = Buffer.from(json);
  if (binary.length === 0) return { body: header };
  return { body: Buffer.concat([header, ...binary]), headerLength: header.length };
}

/** The protocol's error: an object with one string. */
export function encodeOpenInferenceError(message: string): Uint8Array {
  return Buffer.from(`${JSON.stringify({ error: message })}\n`);
}

function jsonDataOf(output: AnswerOutput): readonly (number | string)[] {
  return output.datatype === "FP32" ? Array.from(output.elements, shortestDouble) : output.elements;
}

const SMALLEST_NORMAL = 2 ** -126;

/**
 * The double whose shortest decimal names the same binary32: 0.1 for the float 0.10000000149011612. Nine digits name
 * every binary32 (IEEE 754, 5.12.2); six digits name no two of them, unless they are subnormal, and zeros at the end are
 * not printed.
 */
export function shortestDouble(value: number): number {
  for (let digits = Math.abs(value) < SMALLEST_NORMAL ? 1 : 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

function binaryDataOf(output: AnswerOutput): Uint8Array {
  if (output.datatype === "FP32") {
    const { buffer, byteOffset, byteLength } = output.elements;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  return Buffer.concat(
    output.elements.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}
