import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../../src/messages/checkpoint/index.ts";

const tensor = { dtype: "f32", shape: [2, 3], values: Float32Array.from([1, -2, 3.5, 0, 1e-30, 7]) } as const;

describe("encodeSafetensors", () => {
  it("writes what the format says: u64 header length, JSON header, raw little-endian data", () => {
    const bytes = encodeSafetensors({
      metadata: { step: "7" },
      tensors: { w: tensor, labels: { dtype: "i32", shape: [1], values: Int32Array.of(-5) } },
    });
    const view = new DataView(bytes.buffer);
    const headerBytes = Number(view.getBigUint64(0, true));
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
    expect(header).toEqual({
      __metadata__: { step: "7" },
      w: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
      labels: { dtype: "I32", shape: [1], data_offsets: [24, 28] },
    });
    expect((8 + headerBytes) % 8).toBe(0);
    expect(view.getFloat32(8 + headerBytes + 8, true)).toBe(3.5);
    expect(view.getInt32(8 + headerBytes + 24, true)).toBe(-5);
  });

  it("round trip: every value and every word", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((name) => name !== "__metadata__" && name !== "__proto__"),
          fc.float32Array({ minLength: 1, maxLength: 20 }),
        ),
        fc.dictionary(
          fc.string().filter((name) => name !== "__proto__"),
          fc.string(),
        ),
        (arrays, metadata) => {
          const tensors = Object.fromEntries(
            Object.entries(arrays).map(([name, values]) => [
              name,
              { dtype: "f32" as const, shape: [values.length], values },
            ]),
          );
          const decoded = decodeSafetensors(encodeSafetensors({ metadata, tensors }));
          expect({ ...decoded.metadata }).toEqual({ ...metadata });
          for (const [name, { values }] of Object.entries(tensors))
            expect(decoded.tensors[name]?.values).toEqual(values);
        },
      ),
    );
  });
});

describe("decodeSafetensors", () => {
  it.each([
    ["a Buffer of its own", (bytes: Uint8Array) => Buffer.concat([bytes])],
    ["a Buffer of Node's pool", (bytes: Uint8Array) => Buffer.from(bytes)],
    ["part of a Buffer, at an odd offset", (bytes: Uint8Array) => Buffer.concat([Buffer.of(1), bytes]).subarray(1)],
    ["part of a Uint8Array", (bytes: Uint8Array) => Uint8Array.of(1, ...bytes).subarray(1)],
  ])("reads %s: every tensor has an array of its own", (_name, given) => {
    const tensors = {
      w: tensor,
      labels: { dtype: "i32", shape: [2], values: Int32Array.of(-5, 6) },
      bytes: { dtype: "u8", shape: [3], values: Uint8Array.of(7, 8, 9) },
    } as const;
    const bytes = given(encodeSafetensors({ metadata: {}, tensors }));
    const decoded = decodeSafetensors(bytes).tensors;
    bytes.fill(0xff);
    expect(decoded).toEqual(tensors);
    for (const { values } of Object.values(decoded)) expect(values.buffer.byteLength).toBe(values.byteLength);
  });

  it("refuses every truncation and every flipped byte of the header with KN_CHECKPOINT, or reads something consistent", () => {
    const whole = encodeSafetensors({ metadata: { step: "7" }, tensors: { w: tensor } });
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => decodeSafetensors(whole.slice(0, length))).toThrow(
        expect.objectContaining({ code: "KN_CHECKPOINT" }),
      );
    }
    for (let at = 0; at < whole.length - 24; at += 1) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      try {
        decodeSafetensors(damaged);
      } catch (error) {
        expect(error).toMatchObject({ code: "KN_CHECKPOINT" });
      }
    }
  });

  it("refuses offsets outside the file and shapes that are not the bytes", () => {
    const make = (entry: object): Uint8Array => {
      const header = new TextEncoder().encode(JSON.stringify({ w: entry }));
      const bytes = new Uint8Array(8 + header.length + 8);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
      bytes.set(header, 8);
      return bytes;
    };
    for (const entry of [
      { dtype: "F32", shape: [3], data_offsets: [0, 12] },
      { dtype: "F32", shape: [1], data_offsets: [0, 8] },
      { dtype: "F32", shape: [1e9, 1e9], data_offsets: [0, 8] },
      { dtype: "F64", shape: [1], data_offsets: [0, 8] },
      { dtype: "F32", shape: [-1], data_offsets: [0, 4] },
      { dtype: "F32", shape: [2], data_offsets: [8, 0] },
    ]) {
      expect(() => decodeSafetensors(make(entry))).toThrow(expect.objectContaining({ code: "KN_CHECKPOINT" }));
    }
  });
});
