/**
 * A request for inference of the Open Inference Protocol, version 2: the body of `POST /v2/models/M/infer`, with Triton's
 * extension for binary tensors. Bytes in, values out; nothing here knows the model.
 *
 * https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 *
 * The body is JSON, then the bytes of each binary input in the order of the inputs. The header
 * `Inference-Header-Content-Length` gives the length of the JSON; without it the whole body is JSON; with 0, or where the
 * body is an image by its first bytes, the whole body is the one tensor ("raw"). The media type says nothing: tritonclient
 * sends none, or octet-stream.
 */
import { countElements, MAX_RANK } from "../tensor/tensor-view.ts";
import { refusal } from "../wire/refusal.ts";
import { DATATYPES, INPUT_DATATYPES, type InputDatatype, isInputDatatype } from "./datatypes.ts";
import { parseJsonText } from "./json-text.ts";
import { elementsOfBytes, elementsOfJson, type TensorElements } from "./tensor-data.ts";

export interface InferInput {
  readonly name: string;
  readonly datatype: InputDatatype;
  /** 1 to 8 extents of 1 or more. */
  readonly shape: readonly number[];
  /** As many as the product of `shape`. Float32Array for FP32, Uint8Array for UINT8, one file each for BYTES. */
  readonly elements: TensorElements;
}

export interface RequestedOutput {
  readonly name: string;
  readonly isBinary: boolean;
  /** Answer the k classes of the largest values as strings instead (Triton's classification extension). */
  readonly classification?: number;
}

export interface OpenInferenceRequest {
  readonly id?: string;
  readonly inputs: readonly InferInput[];
  /** Absent: all of the model, binary where `areOutputsBinary`. */
  readonly outputs?: readonly RequestedOutput[];
  readonly areOutputsBinary: boolean;
  /** Microseconds; absent: the server's own limit. */
  readonly timeoutMicros?: number;
  /** 0: not given; 1 is the highest. */
  readonly priority: number;
  readonly client?: string;
  /** Observers get the inputs; absent: as the server does with all. */
  readonly observe?: boolean;
}

/** A body without JSON: a file, or the bytes of the one input. */
export interface RawBody {
  readonly raw: Uint8Array;
}

export interface ParseBodyOptions {
  /** Value of `Inference-Header-Content-Length`; undefined: no such header. */
  readonly headerLength?: string;
}

const ATTEMPT = "read the request";
/** Longest name, id and client that is taken, characters. */
const MAX_TEXT = 1024;

type Fields = Readonly<Record<string, unknown>>;

/**
 * How many bytes of a body are JSON.
 *
 * @throws KnowledgeNetError KN_DECODE for a header that is no length, or reaches beyond the body
 */
export function jsonBytesOf(body: Uint8Array, { headerLength }: ParseBodyOptions): number {
  if (headerLength === undefined) return isImageFile(body) ? 0 : body.length;
  const length = /^\d{1,15}$/.test(headerLength) ? Number(headerLength) : Number.NaN;
  if (!(length <= body.length)) {
    const rule = `Inference-Header-Content-Length must be a length within the body of ${body.length} bytes`;
    throw refusal(ATTEMPT, rule, headerLength);
  }
  return length;
}

/** Whether bytes begin as a PNG or a JPEG file does. */
export function isImageFile(bytes: Uint8Array): boolean {
  const starts = (...magic: readonly number[]): boolean => magic.every((byte, index) => bytes[index] === byte);
  return starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a) || starts(0xff, 0xd8, 0xff);
}

/** @throws KnowledgeNetError KN_DECODE with the rule and the value, and nothing else, for any bytes. */
export function parseOpenInferenceRequest(
  body: Uint8Array,
  options: ParseBodyOptions = {},
): OpenInferenceRequest | RawBody {
  const jsonBytes = jsonBytesOf(body, options);
  if (jsonBytes === 0 && body.length > 0) return { raw: body };
  const fields = fieldsOf(parseJsonText(body.subarray(0, jsonBytes), ATTEMPT), "the request");
  const parameters = parametersOf(fields["parameters"], "the request");
  const areOutputsBinary = booleanOf(parameters, "binary_data_output") ?? false;
  const id = textOf(fields["id"], "id");
  const client = textOf(parameters["client"], "parameters.client");
  const timeoutMicros = integerOf(parameters, "timeout");
  const observe = booleanOf(parameters, "observe");
  const outputs = outputsOf(fields["outputs"], areOutputsBinary);
  return {
    ...(id === undefined ? {} : { id }),
    inputs: inputsOf(fields["inputs"], body, jsonBytes),
    ...(outputs === undefined ? {} : { outputs }),
    areOutputsBinary,
    ...(timeoutMicros === undefined || timeoutMicros === 0 ? {} : { timeoutMicros }),
    priority: integerOf(parameters, "priority") ?? 0,
    ...(client === undefined ? {} : { client }),
    ...(observe === undefined ? {} : { observe }),
  };
}

function inputsOf(value: unknown, body: Uint8Array, jsonBytes: number): InferInput[] {
  const binary = body.subarray(jsonBytes);
  if (!Array.isArray(value) || value.length === 0) {
    throw refusal(ATTEMPT, "`inputs` must be an array of tensors", Array.isArray(value) ? "[]" : typeof value);
  }
  const names = new Set<string>();
  let at = 0;
  const inputs = value.map((each: unknown, index): InferInput => {
    const fields = fieldsOf(each, `inputs[${index}]`);
    const name = nameOf(fields["name"], `inputs[${index}].name`, names);
    const attempt = `read input "${name.slice(0, 40)}"`;
    const datatype = datatypeOf(fields["datatype"], attempt);
    const shape = shapeOf(fields["shape"], attempt);
    const count = countElements(shape) ?? 0;
    if (count === 0) throw refusal(attempt, "the product of `shape` must be below 2^53", `[${shape.join(", ")}]`);
    const parameters = parametersOf(fields["parameters"], `inputs[${index}]`);
    if (parameters["shared_memory_region"] !== undefined) {
      throw refusal(attempt, "shared memory is not supported", "parameters.shared_memory_region");
    }
    const options = { datatype, shape, count, jsonBytes, attempt };
    const size = integerOf(parameters, "binary_data_size");
    if (size === undefined) return { name, datatype, shape, elements: elementsOfJson(fields["data"], options) };
    if (fields["data"] !== undefined) throw refusal(attempt, "it must have `data` or binary_data_size", "both");
    if (size > binary.length - at) {
      const rule = `binary_data_size must be within the ${binary.length - at} bytes that are left of the body`;
      throw refusal(attempt, rule, size);
    }
    at += size;
    return { name, datatype, shape, elements: elementsOfBytes(binary.subarray(at - size, at), options) };
  });
  if (at !== binary.length) {
    const rule = "the body must end with the last binary input";
    throw refusal(ATTEMPT, rule, `${binary.length - at} bytes beyond it`);
  }
  return inputs;
}

function outputsOf(value: unknown, areBinary: boolean): RequestedOutput[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw refusal(ATTEMPT, "`outputs` must be an array", typeof value);
  if (value.length === 0) return undefined;
  const names = new Set<string>();
  return value.map((each: unknown, index): RequestedOutput => {
    const fields = fieldsOf(each, `outputs[${index}]`);
    const name = nameOf(fields["name"], `outputs[${index}].name`, names);
    const parameters = parametersOf(fields["parameters"], `outputs[${index}]`);
    if (parameters["shared_memory_region"] !== undefined) {
      throw refusal(ATTEMPT, "shared memory is not supported", `outputs[${index}].parameters.shared_memory_region`);
    }
    const classification = integerOf(parameters, "classification") ?? 0;
    return {
      name,
      isBinary: booleanOf(parameters, "binary_data") ?? areBinary,
      ...(classification === 0 ? {} : { classification }),
    };
  });
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw refusal(ATTEMPT, `${what} must be an object`, Array.isArray(value) ? "an array" : String(value));
}

function parametersOf(value: unknown, what: string): Fields {
  return value === undefined || value === null ? {} : fieldsOf(value, `parameters of ${what}`);
}

function nameOf(value: unknown, what: string, taken: Set<string>): string {
  const name = textOf(value, what);
  if (name === undefined || name === "") throw refusal(ATTEMPT, `${what} must be given`, String(value));
  if (taken.has(name)) throw refusal(ATTEMPT, `${what} must be given once`, name);
  taken.add(name);
  return name;
}

function textOf(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value.length <= MAX_TEXT) return value;
  throw refusal(ATTEMPT, `${what} must be a string of up to ${MAX_TEXT} characters`, valueText(value));
}

function datatypeOf(value: unknown, attempt: string): InputDatatype {
  if (isInputDatatype(value)) return value;
  const isKnown = (DATATYPES as readonly unknown[]).includes(value);
  const names = isKnown ? `here ${INPUT_DATATYPES.join(", ")}` : `one of ${DATATYPES.join(", ")}`;
  throw refusal(attempt, `datatype must be ${names}`, valueText(value));
}

function shapeOf(value: unknown, attempt: string): number[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_RANK) {
    const found = Array.isArray(value) ? `${value.length} extents` : typeof value;
    throw refusal(attempt, `\`shape\` must be an array of 1 to ${MAX_RANK} extents`, found);
  }
  for (const extent of value as readonly unknown[]) {
    if (typeof extent !== "number" || !Number.isSafeInteger(extent) || extent < 1) {
      throw refusal(attempt, "every extent of `shape` must be an integer of 1 or more", valueText(extent));
    }
  }
  return value as number[];
}

function booleanOf(parameters: Fields, name: string): boolean | undefined {
  const value = parameters[name];
  if (value === undefined || value === null || typeof value === "boolean") return value ?? undefined;
  throw refusal(ATTEMPT, `parameters.${name} must be true or false`, valueText(value));
}

/** Integers of parameters are int64 and uint64 in Triton; beyond 2^53 JSON.parse rounds them, so they are refused. */
function integerOf(parameters: Fields, name: string): number | undefined {
  const value = parameters[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw refusal(ATTEMPT, `parameters.${name} must be an integer of 0 to 2^53 - 1`, valueText(value));
}

function valueText(value: unknown): string {
  return typeof value === "object" && value !== null
    ? Array.isArray(value)
      ? "an array"
      : "an object"
    : String(value);
}
