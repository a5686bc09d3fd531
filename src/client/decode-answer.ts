/** An inference answer of the protocol, checked: JSON, binary tensors, or both. Pure. */
import { KnowledgeNetError } from "../errors/index.ts";

/** Outputs of a served model, by the name that they have in its protocol. */
export const OUTPUTS = { classes: "class", probabilities: "probabilities", logits: "logits" } as const;
export type OutputName = keyof typeof OUTPUTS;

interface Outputs {
  /** Name of the most probable class of each sample. */
  readonly classes: readonly string[];
  /** [samples, classes], row-major; owned by the caller. */
  readonly probabilities: Float32Array;
  /** [samples, classes], row-major; owned by the caller. */
  readonly logits: Float32Array;
}

export type Inference<Wanted extends OutputName = OutputName> = Pick<Outputs, Wanted> & {
  /** Release that computed all of it. */
  readonly release: number;
  readonly samples: number;
  /** Samples that were computed together, of other clients too: the last bits depend on it. */
  readonly batch: number;
};

interface Described {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: unknown;
  readonly binaryBytes: number | undefined;
}

/**
 * @param headerBytes length of the JSON; undefined: the whole body
 * @throws KN_DECODE for anything that is not an answer with the wanted outputs
 */
export function decodeAnswer(body: Buffer, headerBytes: number | undefined, wanted: readonly OutputName[]): Inference {
  const header = headerBytes ?? body.byteLength;
  if (!Number.isInteger(header) || header < 0 || header > body.byteLength) {
    throw refusal(`its JSON must be within the ${body.byteLength} bytes of the body`, headerBytes);
  }
  const answer = parse(body.toString("utf8", 0, header));
  const release = Number(answer["model_version"]);
  if (!Number.isSafeInteger(release) || release < 1) {
    throw refusal("model_version must be the number of a release", answer["model_version"]);
  }
  const outputs = new Map<string, { readonly described: Described; readonly bytes: Buffer | undefined }>();
  let at = header;
  for (const described of describedOutputs(answer["outputs"])) {
    const { binaryBytes } = described;
    const bytes = binaryBytes === undefined ? undefined : body.subarray(at, at + binaryBytes);
    if (bytes !== undefined && bytes.byteLength !== binaryBytes) {
      throw refusal(`${described.name} must be within the body`, `${bytes.byteLength} of ${binaryBytes} bytes`);
    }
    at += binaryBytes ?? 0;
    outputs.set(described.name, { described, bytes });
  }
  if (at !== body.byteLength) throw refusal("the outputs must fill the body", `${body.byteLength - at} bytes more`);

  let samples = 0;
  const result: Partial<Record<OutputName, unknown>> = {};
  for (const name of wanted) {
    const output = outputs.get(OUTPUTS[name]);
    if (output === undefined) throw refusal(`it must have the output ${OUTPUTS[name]}`, [...outputs.keys()].join(", "));
    const { described, bytes } = output;
    samples = described.shape[0] ?? 0;
    result[name] = name === "classes" ? textOf(described, bytes) : floatsOf(described, bytes);
  }
  const { batch } = isObject(answer["parameters"]) ? answer["parameters"] : {};
  return {
    ...(result as unknown as Outputs),
    release,
    samples,
    batch: typeof batch === "number" ? batch : samples,
  };
}

function describedOutputs(value: unknown): Described[] {
  if (!Array.isArray(value)) throw refusal("outputs must be a list", typeof value);
  return value.map((each: unknown) => {
    if (!isObject(each)) throw refusal("each output must be an object", typeof each);
    const { name, datatype, shape, data, parameters } = each;
    const isShape =
      Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && Number(extent) >= 0);
    if (typeof name !== "string" || typeof datatype !== "string" || !isShape) {
      throw refusal("each output must have name, datatype and shape", JSON.stringify({ name, datatype, shape }));
    }
    const size = isObject(parameters) ? parameters["binary_data_size"] : undefined;
    if (size !== undefined && (!Number.isSafeInteger(size) || Number(size) < 0)) {
      throw refusal(`binary_data_size of ${name} must be a number of bytes`, JSON.stringify(size));
    }
    return {
      name,
      datatype,
      shape: shape as number[],
      data,
      binaryBytes: size === undefined ? undefined : Number(size),
    };
  });
}

function floatsOf({ name, datatype, shape, data }: Described, bytes: Buffer | undefined): Float32Array {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  if (datatype !== "FP32") throw refusal(`${name} must be FP32`, datatype);
  const values =
    bytes === undefined
      ? Float32Array.from((Array.isArray(data) ? data.flat(shape.length) : []) as number[])
      : new Float32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.byteLength / 4));
  const isWhole = bytes === undefined || bytes.byteLength === 4 * elements;
  if (values.length !== elements || !isWhole) {
    throw refusal(`${name} must have ${elements} elements`, bytes?.byteLength ?? values.length);
  }
  return values;
}

function textOf({ name, datatype, shape, data }: Described, bytes: Buffer | undefined): string[] {
  if (datatype !== "BYTES") throw refusal(`${name} must be BYTES`, datatype);
  const texts = bytes === undefined ? (Array.isArray(data) ? data.flat(shape.length).map(String) : []) : [];
  for (let at = 0; bytes !== undefined && at < bytes.byteLength; ) {
    if (at + 4 > bytes.byteLength) throw refusal(`${name} must have a length before each element`, `${at} bytes`);
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.byteLength) throw refusal(`each element of ${name} must be within it`, end);
    texts.push(bytes.toString("utf8", at + 4, end));
    at = end;
  }
  const elements = shape.reduce((product, extent) => product * extent, 1);
  if (texts.length !== elements) throw refusal(`${name} must have ${elements} elements`, texts.length);
  return texts;
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refusal("it must be JSON", error instanceof Error ? error.message : String(error));
  }
  if (!isObject(value)) throw refusal("it must be a JSON object", typeof value);
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refusal(rule: string, value: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_DECODE", { attempt: "read the server's answer", rule, value: String(value) });
}
