import { describe, expect, it } from "vitest";
import { readIdx } from "../../../src/data/idx.ts";

/** An IDX file of unsigned bytes, as the format's description lays it out. */
function idx(shape: readonly number[], values: readonly number[], magic = 0x0800 | shape.length): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  shape.forEach((extent, axis) => {
    view.setUint32(4 + 4 * axis, extent);
  });
  bytes.set(values, 4 + 4 * shape.length);
  return bytes;
}

const refused = (rule: RegExp): unknown =>
  expect.objectContaining({ code: "KN_CONFIG", message: expect.stringMatching(rule) });

describe("readIdx", () => {
  it("reads shape and values, as a view on the input", () => {
    const bytes = idx([2, 3], [1, 2, 3, 4, 5, 255]);
    const { shape, values } = readIdx(bytes, 2, "f");
    expect(shape).toEqual([2, 3]);
    expect([...values]).toEqual([1, 2, 3, 4, 5, 255]);
    expect(values.buffer).toBe(bytes.buffer);
  });

  it("reads a view that does not begin at its buffer's first byte", () => {
    const inner = idx([2], [7, 8]);
    const outer = new Uint8Array(3 + inner.length);
    outer.set(inner, 3);
    expect([...readIdx(outer.subarray(3), 1, "f").values]).toEqual([7, 8]);
  });

  it("refuses a truncated header, missing values and values too many, with file, rule and size", () => {
    const whole = idx([2, 3], [1, 2, 3, 4, 5, 6]);
    for (const length of [0, 3, 11]) {
      expect(() => readIdx(whole.subarray(0, length), 2, "some-file")).toThrow(
        refused(/some-file .*header of 12 bytes.*\d+ bytes/),
      );
    }
    expect(() => readIdx(whole.subarray(0, 17), 2, "some-file")).toThrow(
      refused(/\[2, 3\] must take 18 bytes.*17 bytes/),
    );
    expect(() => readIdx(idx([1, 3], [1, 2, 3, 4]), 2, "some-file")).toThrow(
      refused(/\[1, 3\] must take 15 bytes.*16 bytes/),
    );
  });

  it("refuses another magic: a gzip file, another element type, another byte order", () => {
    for (const magic of [0x1f8b0800, 0x00000d02, 0x02080000]) {
      expect(() => readIdx(idx([2, 3], [1, 2, 3, 4, 5, 6], magic), 2, "f")).toThrow(
        refused(/IDX magic 0x00000802.*0x/),
      );
    }
  });

  it("refuses another rank than asked for", () => {
    expect(() => readIdx(idx([2, 3], [1, 2, 3, 4, 5, 6]), 1, "f")).toThrow(refused(/magic 0x00000801.*0x00000802/));
  });
});
