import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  activationFrameBytes,
  encodeActivation,
  encodeGradient,
  gradientFrameBytes,
  type TensorCodec,
} from "../../../src/messages/index.ts";

/** The longest that each part of a header may be. */
const header = {
  run: "r".repeat(64),
  sender: "s".repeat(64),
  sequence: Number.MAX_SAFE_INTEGER,
  step: Number.MAX_SAFE_INTEGER,
  version: Number.MAX_SAFE_INTEGER,
  fence: Number.MAX_SAFE_INTEGER,
};
const codecs: readonly TensorCodec[] = ["raw", "bf16", "int8-channel", "int8-block", "int8-sample"];
const shapes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 });

function tensorOf(shape: readonly number[]) {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return { dtype: "f32", shape, values: new Float32Array(elements).fill(1) } as const;
}

describe("activationFrameBytes", () => {
  it("is a bound of the encoded size, at most 512 bytes above it", () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(...codecs), fc.boolean(), (shape, codec, hasProvenance) => {
        const [batch = 1] = shape;
        const labels = { dtype: "i32", shape: [batch], values: new Int32Array(batch) } as const;
        const samples = Array.from({ length: batch }, () => 2 ** 32 - 1);
        const provenance = { samples, view: 2 ** 32 - 1, seed: 2 ** 31 - 1, teacher: Number.MAX_SAFE_INTEGER };
        const frame = encodeActivation(
          {
            ...{ header, phase: "evaluate", evaluation: Number.MAX_SAFE_INTEGER, labels, tensor: tensorOf(shape) },
            ...(hasProvenance ? { provenance } : {}),
          },
          codec,
        );
        const bound = activationFrameBytes({ shape, codec }, hasProvenance);
        expect(frame.byteLength).toBeLessThanOrEqual(bound);
        expect(frame.byteLength).toBeGreaterThanOrEqual(bound - 512);
      }),
      { numRuns: 200 },
    );
  });

  it("counts one byte per value of an image", () => {
    const images = activationFrameBytes({ shape: [100, 28, 28, 1], dtype: "u8", codec: "raw" }, false);
    const floats = activationFrameBytes({ shape: [100, 28, 28, 1], codec: "raw" }, false);
    expect(floats - images).toBe(3 * 78_400);
  });
});

describe("gradientFrameBytes", () => {
  it("is a bound of the encoded size, at most 512 bytes above it", () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(...codecs), (shape, codec) => {
        const frame = encodeGradient({ header, origin: "bootstrapped", tensor: tensorOf(shape) }, codec);
        const bound = gradientFrameBytes({ shape, codec });
        expect(frame.byteLength).toBeLessThanOrEqual(bound);
        expect(frame.byteLength).toBeGreaterThanOrEqual(bound - 512);
      }),
      { numRuns: 200 },
    );
  });
});
