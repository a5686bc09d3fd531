import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeFrame,
  encodeActivation,
  encodeActivationOfRows,
  encodedRowBytes,
  encodeRows,
  type RowCodec,
  type TensorView,
} from "../../../src/messages/index.ts";
import { activation, anyFloats, floats, labels } from "./samples.ts";

const ROW_CODECS = ["raw", "bf16", "int8-sample"] as const satisfies readonly RowCodec[];

function rowOf({ shape, values }: TensorView, row: number): TensorView {
  const [count = 1, ...sampleShape] = shape;
  const length = values.length / count;
  return {
    dtype: "f32",
    shape: [1, ...sampleShape],
    values: (values as Float32Array).slice(row * length, (row + 1) * length),
  };
}

describe("encodeRows", () => {
  it.each(ROW_CODECS)("%s: a sample's bytes do not depend on the batch that it came in", (codec) => {
    fc.assert(
      fc.property(anyFloats, (tensor) => {
        const { bytes, rowBytes, count } = encodeRows(tensor, codec);
        expect(rowBytes).toBe(encodedRowBytes(tensor.shape.slice(1), codec));
        expect(bytes.byteLength).toBe(count * rowBytes);
        for (let row = 0; row < count; row += 1) {
          expect(encodeRows(rowOf(tensor, row), codec).bytes).toEqual(
            bytes.slice(row * rowBytes, (row + 1) * rowBytes),
          );
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("encodeActivationOfRows", () => {
  it.each(ROW_CODECS)("%s: a frame of rows is bit for bit the frame of the tensor", (codec) => {
    fc.assert(
      fc.property(anyFloats, (tensor) => {
        const whole = activation({ tensor, labels: labels(tensor.shape[0] ?? 0) });
        const { tensor: _tensor, ...rest } = whole;
        expect(encodeActivationOfRows(rest, encodeRows(tensor, codec))).toEqual(encodeActivation(whole, codec));
      }),
      { numRuns: 50 },
    );
  });

  it.each(ROW_CODECS)("%s: rows put together from two batches decode to what each batch gave", (codec) => {
    const [first, second] = [floats([3, 4, 5]), floats([3, 4, 5], 100)];
    const [a, b] = [encodeRows(first, codec), encodeRows(second, codec)];
    const bytes = new Uint8Array(2 * a.rowBytes);
    bytes.set(a.bytes.subarray(2 * a.rowBytes), 0);
    bytes.set(b.bytes.subarray(0, a.rowBytes), a.rowBytes);
    const { tensor: _tensor, ...rest } = activation({ labels: labels(2) });
    const mixed = decodeFrame(encodeActivationOfRows(rest, { ...a, count: 2, bytes }));
    const alone = (tensor: TensorView) =>
      decodeFrame(encodeActivation(activation({ tensor, labels: labels(3) }), codec));
    const valuesOf = (frame: ReturnType<typeof decodeFrame>): Float32Array => {
      if (frame.kind !== "activation") throw new Error(`a frame of ${frame.kind}`);
      return frame.activation.tensor.values as Float32Array;
    };
    expect([...valuesOf(mixed)]).toEqual([
      ...valuesOf(alone(first)).slice(40),
      ...valuesOf(alone(second)).slice(0, 20),
    ]);
  });

  it.each([NaN, Infinity])("refuses %d with KN_NUMERIC: nothing of it is kept", (value) => {
    const tensor: TensorView = { dtype: "f32", shape: [2, 2], values: Float32Array.of(1, 2, value, 4) };
    for (const codec of ROW_CODECS) expect(() => encodeRows(tensor, codec)).toThrow(/KN_NUMERIC/);
  });
});
