import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Activation,
  decodeFrame,
  encodeActivation,
  encodedTensorBytes,
  encodeGap,
  encodeGradient,
  type TensorView,
} from "../../../src/messages/index.ts";
import { type TensorFields, wire } from "../../../src/messages/generated/knowledgenet.ts";
import { activation, anyFloats, anyHeader, CODECS, floats, gradient, header, labels } from "./samples.ts";

const decodeError = expect.objectContaining({ code: "KN_DECODE" });

function roundTrip(value: Activation): Activation {
  const frame = decodeFrame(encodeActivation(value, "raw"));
  if (frame.kind !== "activation") throw new Error(`a frame of ${frame.kind}`);
  return frame.activation;
}

/** A frame around any tensor fields, well-formed or not. */
function frameOf(
  tensor: TensorFields,
  labelFields?: TensorFields,
  others: { phase?: number; evaluation?: number } = {},
): Uint8Array {
  const { values, shape } = labels(2);
  const fields = { dtype: 2, shape, codec: 1, data: new Uint8Array(values.buffer) };
  return wire.Frame.encode({
    activation: { header, phase: 1, tensor, labels: labelFields ?? fields, ...others },
  }).finish();
}

const f32 = { dtype: 1, shape: [2, 3], codec: 1, data: new Uint8Array(24) };

describe("encodeActivation", () => {
  it("comes back from decodeFrame as it was, with the raw codec", () => {
    const anyPhase = fc.constantFrom(
      { phase: "train", evaluation: 0 } as const,
      { phase: "evaluate", evaluation: 3 } as const,
    );
    fc.assert(
      fc.property(anyHeader, anyPhase, anyFloats, (header, phase, tensor) => {
        const sent = { header, ...phase, tensor, labels: labels(tensor.shape[0] as number) };
        expect(roundTrip(sent)).toEqual(sent);
      }),
    );
  });

  it.each([
    { dtype: "i32", shape: [2, 2], values: new Int32Array([-(2 ** 31), -1, 0, 2 ** 31 - 1]) },
    { dtype: "u8", shape: [2, 3], values: new Uint8Array([0, 1, 127, 128, 254, 255]) },
  ] as const satisfies readonly TensorView[])("carries $dtype raw", (tensor) => {
    expect(roundTrip(activation({ tensor, labels: labels(2) })).tensor).toEqual(tensor);
  });

  it("leaves the values that it was given as they were", () => {
    for (const codec of CODECS) {
      const tensor = floats([4, 9]);
      encodeActivation(activation({ tensor }), codec);
      expect(tensor).toEqual(floats([4, 9]));
    }
  });

  it("takes values that are a part of a larger buffer", () => {
    const values = Float32Array.from({ length: 20 }, (_, index) => index).subarray(3, 11);
    expect(roundTrip(activation({ tensor: { dtype: "f32", shape: [4, 2], values } })).tensor.values).toEqual(
      values.slice(),
    );
  });

  it.each(CODECS.flatMap((codec) => [NaN, Infinity, -Infinity].map((value) => [codec, value] as const)))(
    "refuses with %s a tensor that holds %s",
    (codec, value) => {
      const tensor = floats([4, 9]);
      tensor.values[17] = value;
      expect(() => encodeActivation(activation({ tensor }), codec)).toThrow(
        expect.objectContaining({ code: "KN_NUMERIC" }),
      );
    },
  );

  it("refuses a shape that does not fit its values", () => {
    expect(() => encodeActivation(activation({ tensor: { ...floats([4, 9]), shape: [4, 8] } }), "raw")).toThrow(
      RangeError,
    );
  });

  it("refuses a codec that does not carry the dtype", () => {
    const tensor = { dtype: "u8", shape: [4], values: new Uint8Array(4) } as const;
    expect(() => encodeActivation(activation({ tensor }), "bf16")).toThrow(TypeError);
  });

  it.each([
    ["too few labels", { labels: labels(3) }],
    ["an evaluation in training", { evaluation: 1 }],
    ["an evaluation in recalibration", { phase: "recalibrate" as const, evaluation: 1 }],
    ["no evaluation in evaluation", { phase: "evaluate" as const }],
    ["a negative step", { header: { ...header, step: -1 } }],
    ["a step with a fraction", { header: { ...header, step: 1.5 } }],
    ["a run that is no token", { header: { ...header, run: "a.b" } }],
    ["a sender that is no token", { header: { ...header, sender: "" } }],
  ])("refuses %s", (_, changes) => {
    expect(() => encodeActivation(activation(changes), "raw")).toThrow(RangeError);
  });
});

describe("encodeGradient", () => {
  it.each(CODECS)("comes back from decodeFrame within the error of %s", (codec) => {
    fc.assert(
      fc.property(
        anyHeader,
        anyFloats,
        fc.constantFrom("true", "bootstrapped", "synthetic"),
        (header, tensor, origin) => {
          const frame = decodeFrame(encodeGradient({ header, origin, tensor }, codec));
          if (frame.kind !== "gradient") throw new Error(`a frame of ${frame.kind}`);
          expect(frame.gradient).toMatchObject({ header, origin, tensor: { dtype: "f32", shape: tensor.shape } });
          const peak = Math.max(...tensor.values.map(Math.abs));
          for (const [index, value] of frame.gradient.tensor.values.entries()) {
            // int8: half of peak / 127 and the least scale; bf16: 2^-8 of the value; raw: nothing
            const bound = {
              raw: 0,
              bf16: peak * 2 ** -8 + 2 ** -134,
              "int8-channel": peak / 253,
              "int8-block": peak / 253,
              "int8-sample": peak / 253,
            }[codec];
            expect(Math.abs(value - (tensor.values[index] as number))).toBeLessThanOrEqual(
              Math.max(bound, codec === "raw" ? 0 : 2 ** -127),
            );
          }
        },
      ),
    );
  });

  it("refuses integers", () => {
    const tensor = { dtype: "i32", shape: [1], values: new Int32Array(1) } as const;
    expect(() => encodeGradient(gradient({ tensor }), "raw")).toThrow(TypeError);
  });
});

describe("encodedTensorBytes", () => {
  it.each([
    ["raw", "f32", 24],
    ["raw", "u8", 6],
    ["bf16", "f32", 12],
    ["int8-channel", "f32", 6 + 3 * 4],
    ["int8-block", "f32", 6 + 4],
    ["int8-sample", "f32", 6 + 2 * 4],
  ] as const)("counts data and scales of %s %s", (codec, dtype, bytes) => {
    expect(encodedTensorBytes([2, 3], dtype, codec)).toBe(bytes);
  });

  it.each(CODECS)("is what a frame of %s holds beside its fields", (codec) => {
    const tensor = floats([16, 600]);
    const { activation: decoded } = wire.Frame.decode(
      encodeActivation(activation({ tensor, labels: labels(16) }), codec),
    );
    const { data, scales } = decoded?.tensor ?? {};
    expect((data?.length ?? 0) + (scales?.length ?? 0)).toBe(encodedTensorBytes([16, 600], "f32", codec));
  });
});

describe("decodeFrame", () => {
  it("gives a raw tensor as a view on an aligned message", () => {
    const message = encodeActivation(activation(), "raw");
    const frame = decodeFrame(message);
    expect(frame).toMatchObject({ kind: "activation" });
    if (frame.kind === "activation") expect(frame.activation.tensor.values.buffer).toBe(message.buffer);
  });

  it.each(CODECS)("reads %s at every offset of a larger buffer, from a Buffer too", (codec) => {
    const message = encodeActivation(activation(), codec);
    const expected = decodeFrame(message);
    for (let offset = 0; offset < 8; offset += 1) {
      const larger = new Uint8Array(message.length + 16);
      larger.set(message, offset);
      const part = larger.subarray(offset, offset + message.length);
      expect(decodeFrame(part)).toEqual(expected);
      expect(decodeFrame(Buffer.from(part.buffer, part.byteOffset, part.length))).toEqual(expected);
    }
  });

  it("gives plain arrays from a Buffer, whose own slice would be a view", () => {
    const tensor = { dtype: "u8", shape: [2], values: new Uint8Array([1, 2]) } as const;
    const frame = decodeFrame(Buffer.from(encodeActivation(activation({ tensor, labels: labels(2) }), "raw")));
    if (frame.kind === "activation") expect(frame.activation.tensor.values.constructor).toBe(Uint8Array);
    expect(frame.kind).toBe("activation");
  });

  it("takes what is within the step window", () => {
    expect(decodeFrame(encodeGradient(gradient(), "raw"), { stepWindow: { newest: 8, span: 2 } }).kind).toBe(
      "gradient",
    );
  });

  it("refuses what is older than the step window as stale", () => {
    const message = encodeGradient(gradient(), "raw");
    expect(() => decodeFrame(message, { stepWindow: { newest: 9, span: 2 } })).toThrow(
      expect.objectContaining({ code: "KN_STALE" }),
    );
  });

  it("refuses a message above maxBytes before it reads it", () => {
    const message = encodeGradient(gradient(), "raw");
    expect(decodeFrame(message, { maxBytes: message.length }).kind).toBe("gradient");
    expect(() => decodeFrame(message, { maxBytes: message.length - 1 })).toThrow(decodeError);
  });

  it("refuses more elements and axes than its limits", () => {
    const message = encodeGradient(gradient(), "raw");
    expect(() => decodeFrame(message, { maxElements: 23 })).toThrow(decodeError);
    expect(() => decodeFrame(message, { maxRank: 1 })).toThrow(decodeError);
    expect(decodeFrame(message, { maxElements: 24, maxRank: 2 }).kind).toBe("gradient");
  });

  it("takes the fields of the tensor that the refusals below change", () => {
    expect(decodeFrame(frameOf(f32)).kind).toBe("activation");
  });

  it.each<[string, TensorFields]>([
    ["no dtype", { ...f32, dtype: 0 }],
    ["an unknown dtype", { ...f32, dtype: 4 }],
    ["no codec", { ...f32, codec: 0 }],
    ["an unknown codec", { ...f32, codec: 5 }],
    ["too little data", { ...f32, data: new Uint8Array(23) }],
    ["too much data", { ...f32, data: new Uint8Array(25) }],
    ["no data", { ...f32, data: null }],
    ["an extent of 0", { ...f32, shape: [2, 0], data: null }],
    ["a rank of 9", { ...f32, shape: [2, 1, 1, 1, 1, 1, 1, 1, 3] }],
    [
      "a shape whose product is 0 modulo 2^64",
      { ...f32, shape: [2, ...new Array<number>(7).fill(2 ** 31)], data: null },
    ],
    ["a shape whose bytes are beyond 2^53", { ...f32, shape: [2, 2 ** 26, 2 ** 26], data: null }],
    ["bf16 of u8", { dtype: 3, shape: [2, 3], codec: 2, data: new Uint8Array(12) }],
    ["scales beside raw", { ...f32, scales: new Uint8Array(4) }],
    ["a block beside raw", { ...f32, blockElements: 4 }],
    ["int8-block without a block", { ...f32, codec: 4, data: new Uint8Array(6), scales: new Uint8Array(4) }],
    ["int8-channel with too few scales", { ...f32, codec: 3, data: new Uint8Array(6), scales: new Uint8Array(8) }],
    ["a negative scale", { ...f32, codec: 4, blockElements: 6, data: new Uint8Array(6), scales: bytes(-1) }],
    ["a NaN scale", { ...f32, codec: 4, blockElements: 6, data: new Uint8Array(6), scales: bytes(NaN) }],
    ["an infinite scale", { ...f32, codec: 4, blockElements: 6, data: new Uint8Array(6), scales: bytes(Infinity) }],
    [
      "a scale that takes its values to infinity",
      { ...f32, codec: 4, blockElements: 6, data: new Uint8Array(6), scales: bytes(3e36) },
    ],
    ["NaN", { ...f32, data: bytes(0, 0, NaN, 0, 0, 0) }],
    ["infinity", { ...f32, data: bytes(0, 0, 0, 0, 0, -Infinity) }],
    ["a bf16 NaN", { ...f32, codec: 2, data: new Uint8Array(12).fill(0xff) }],
    ["a batch without labels", { ...f32, shape: [3, 2] }],
    ["a scalar", { ...f32, shape: [], data: new Uint8Array(4) }],
  ])("refuses %s", (_, tensor) => {
    expect(() => decodeFrame(frameOf(tensor))).toThrow(decodeError);
  });

  it.each<[string, TensorFields]>([
    ["f32", { dtype: 1, shape: [2], codec: 1, data: new Uint8Array(8) }],
    ["of rank 2", { dtype: 2, shape: [2, 1], codec: 1, data: new Uint8Array(8) }],
    ["negative", { dtype: 2, shape: [2], codec: 1, data: new Uint8Array(8).fill(0xff) }],
  ])("refuses labels that are %s", (_, fields) => {
    expect(() => decodeFrame(frameOf(f32, fields))).toThrow(decodeError);
  });

  it.each([
    ["no phase", { phase: 0 }],
    ["an unknown phase", { phase: 4 }],
    ["an evaluation in training", { evaluation: 1 }],
    ["an evaluation in recalibration", { phase: 3, evaluation: 1 }],
    ["no evaluation in evaluation", { phase: 2 }],
  ])("refuses %s", (_, others) => {
    expect(() => decodeFrame(frameOf(f32, undefined, others))).toThrow(decodeError);
  });

  it.each([
    ["none", null],
    ["no run", { ...header, run: "" }],
    ["a reserved run", { ...header, run: "node" }],
    ["a run with a dot", { ...header, run: "a.b" }],
    ["a sender of 65 characters", { ...header, sender: "x".repeat(65) }],
  ])("refuses the header: %s", (_, fields) => {
    const message = wire.Frame.encode({ gradient: { header: fields, origin: 1, tensor: f32 } }).finish();
    expect(() => decodeFrame(message)).toThrow(decodeError);
  });

  it("refuses a sequence above 2^53 - 1", () => {
    const largest = { ...header, sequence: Number.MAX_SAFE_INTEGER };
    const above = { ...header, sequence: 2 ** 53 };
    const frame = (fields: typeof header) =>
      wire.Frame.encode({ gradient: { header: fields, origin: 1, tensor: f32 } }).finish();
    expect(decodeFrame(frame(largest))).toMatchObject({ gradient: { header: largest } });
    expect(() => decodeFrame(frame(above))).toThrow(decodeError);
  });

  it("refuses a gap that begins before the stream, or behind its own end, as the encoder does", () => {
    for (const first of [0, header.sequence + 1]) {
      expect(() => decodeFrame(wire.Frame.encode({ gap: { header, first } }).finish())).toThrow(decodeError);
      expect(() => encodeGap({ header, first })).toThrow(RangeError);
    }
  });

  it("refuses an empty message and one with no known content", () => {
    expect(() => decodeFrame(new Uint8Array(0))).toThrow(decodeError);
    expect(() => decodeFrame(new Uint8Array([0x78, 1]))).toThrow(decodeError);
  });

  it("takes a field that a later version may add", () => {
    const message = encodeGradient(gradient(), "raw");
    const later = new Uint8Array(message.length + 2);
    later.set(message);
    later.set([0x78, 1], message.length); // field 15, varint
    expect(decodeFrame(later)).toEqual(decodeFrame(message));
  });
});

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}
