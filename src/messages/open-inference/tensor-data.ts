/**
 * The data of one input: the `data` of JSON, nested or flat, or its share of the binary bytes; row-major either way.
 * Every value is finite and of the datatype: what JSON cannot say in it without loss is refused.
 */
import { alignedBytes } from "../tensor/tensor-view.ts";
import { refusal } from "../wire/refusal.ts";
import { DATATYPE_BYTES, type InputDatatype } from "./datatypes.ts";

/** Elements of an input. Views of the request where its alignment allows it. */
export type TensorElements = Float32Array | Uint8Array | readonly Uint8Array[];

export interface ElementsOptions {
  readonly datatype: InputDatatype;
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly count: number;
  /** Bytes of the JSON: it has fewer elements. */
  readonly jsonBytes: number;
  readonly attempt: string;
}

/** @throws KnowledgeNetError KN_DECODE */
export function elementsOfBytes(bytes: Uint8Array, { datatype, count, attempt }: ElementsOptions): TensorElements {
  if (datatype === "BYTES") return splitBytes(bytes, count, attempt);
  const expected = count * DATATYPE_BYTES[datatype];
  if (bytes.length !== expected) {
    const rule = `binary_data_size of ${count} elements of ${datatype} must be ${expected}`;
    throw refusal(attempt, rule, bytes.length);
  }
  if (datatype === "UINT8") return bytes;
  const aligned = alignedBytes(bytes);
  const values = new Float32Array(aligned.buffer, aligned.byteOffset, count);
  for (let index = 0; index < count; index += 1) {
    if (!Number.isFinite(values[index])) {
      throw refusal(attempt, "every element must be finite", `${values[index]} at ${index}`);
    }
  }
  return values;
}

/** Each element: u32 length, then so many bytes. */
function splitBytes(bytes: Uint8Array, count: number, attempt: string): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && elements.length < count) {
    const length = at + 4 <= bytes.length ? view.getUint32(at, true) : Infinity;
    if (at + 4 + length > bytes.length) {
      const rule = "each element of BYTES must be its length in 4 bytes and so many bytes";
      throw refusal(attempt, rule, `element ${elements.length} ends beyond its ${bytes.length} bytes`);
    }
    elements.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (elements.length !== count || at !== bytes.length) {
    const value = `${elements.length} elements in ${at} of ${bytes.length} bytes`;
    throw refusal(attempt, `binary BYTES must be the ${count} elements of the shape, to the last byte`, value);
  }
  return elements;
}

/** @throws KnowledgeNetError KN_DECODE */
export function elementsOfJson(data: unknown, options: ElementsOptions): TensorElements {
  const { datatype, shape, count, jsonBytes, attempt } = options;
  if (!Array.isArray(data)) throw refusal(attempt, "`data` must be an array", typeof data);
  const rule = `\`data\` must have the ${count} elements of shape [${shape.join(", ")}]`;
  if (count > jsonBytes) throw refusal(attempt, rule, `fewer, in ${jsonBytes} bytes`); // before they are allocated
  const nest = extentsOf(data);
  checkNest(nest, shape, attempt);
  const put =
    datatype === "FP32"
      ? floatWriter(count, attempt)
      : datatype === "UINT8"
        ? byteWriter(count, attempt)
        : fileWriter(attempt);
  let found = 0;
  const visit = (items: readonly unknown[], level: number): void => {
    const isLeaf = level === nest.length - 1;
    for (const item of items) {
      if (isLeaf) {
        if (found < count) put.write(item, found);
        found += 1;
      } else if (Array.isArray(item) && item.length === nest[level + 1]) visit(item, level + 1);
      else {
        const value = Array.isArray(item) ? `${item.length} elements` : typeof item;
        throw refusal(attempt, `nested \`data\` must be regular, here with ${nest[level + 1]} elements`, value);
      }
    }
  };
  visit(data, 0);
  if (found !== count) throw refusal(attempt, rule, found);
  return put.elements;
}

/** Lengths of the arrays on the way to the first element. */
function extentsOf(data: readonly unknown[]): readonly number[] {
  const extents: number[] = [];
  for (let items: unknown = data; Array.isArray(items); items = (items as unknown[])[0]) extents.push(items.length);
  return extents;
}

/**
 * A nest is the shape itself, or the shape with neighbouring axes joined: [n, 784] for [n, 28, 28, 1], and flat as the
 * limit. [3, 2] for [2, 3] is not: it looks transposed.
 */
function checkNest(nest: readonly number[], shape: readonly number[], attempt: string): void {
  const products = (extents: readonly number[]): number[] =>
    extents.map((_, index) => extents.slice(0, index + 1).reduce((product, extent) => product * extent, 1));
  const borders = new Set([1, ...products(shape)]);
  if (nest.length > 1 && products(nest).some((product) => !borders.has(product))) {
    const rule = `\`data\` must be flat or nested as shape [${shape.join(", ")}]`;
    throw refusal(attempt, rule, `nested as [${nest.join(", ")}]`);
  }
}

interface ElementWriter {
  readonly elements: TensorElements;
  readonly write: (item: unknown, index: number) => void;
}

function floatWriter(count: number, attempt: string): ElementWriter {
  const elements = new Float32Array(count);
  return {
    elements,
    write(item, index) {
      if (typeof item !== "number") throw refusal(attempt, "elements of FP32 must be numbers", typeof item);
      elements[index] = item;
      if (!Number.isFinite(elements[index])) {
        throw refusal(attempt, "elements of FP32 must be finite in 32 bits", `${item} at ${index}`);
      }
    },
  };
}

function byteWriter(count: number, attempt: string): ElementWriter {
  const elements = new Uint8Array(count);
  return {
    elements,
    write(item, index) {
      if (typeof item !== "number" || !Number.isInteger(item) || item < 0 || item > 255) {
        const value = typeof item === "number" ? `${item} at ${index}` : typeof item;
        throw refusal(attempt, "elements of UINT8 must be integers of 0 to 255", value);
      }
      elements[index] = item;
    },
  };
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** JSON has no bytes: a file is written in base64, as KServe's clients do. */
function fileWriter(attempt: string): ElementWriter {
  const elements: Uint8Array[] = [];
  return {
    elements,
    write(item) {
      if (typeof item !== "string" || !BASE64.test(item)) {
        const rule = "elements of BYTES in JSON must be files in base64; binary data takes them as they are";
        throw refusal(attempt, rule, typeof item === "string" ? item : typeof item);
      }
      elements.push(Buffer.from(item, "base64"));
    },
  };
}
