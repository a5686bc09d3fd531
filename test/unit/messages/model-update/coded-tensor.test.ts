import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeOf, type CodedTensor, codeTensor, type TensorChange } from "../../../../src/messages/index.ts";
import { anyChange, changes } from "./update-samples.ts";

const INTEGER_CODECS = [
  { codec: "int8", levels: 127 },
  { codec: "int4", levels: 7 },
] as const;

/** The channel of each value, from the places and nothing else. */
function channelsOf({ elements, channels, selection }: TensorChange): number[] {
  const places = Array.from({ length: elements }, (_, place) => place).filter((place) => {
    if (selection.kind === "whole") return true;
    return selection.at.includes(selection.kind === "channels" ? place % channels : place);
  });
  return places.map((place) => place % channels);
}

describe("codeTensor", () => {
  it("keeps f32 as it is", () => {
    fc.assert(
      fc.property(anyChange(), (change) => {
        expect(changeOf(codeTensor(change, { codec: "f32" }))).toEqual(change);
      }),
    );
  });

  it.each(INTEGER_CODECS)("$codec: each value is within half of its tensor's peak / $levels", ({ codec, levels }) => {
    fc.assert(
      fc.property(anyChange(), (change) => {
        const decoded = changeOf(codeTensor(change, { codec }));
        expect({ ...decoded, values: 0 }).toEqual({ ...change, values: 0 });
        const peak = Math.max(...change.values.map(Math.abs));
        decoded.values.forEach((value, position) => {
          const error = Math.abs(value - (change.values[position] as number));
          expect(error).toBeLessThanOrEqual((Math.max(peak / levels, 2 ** -126) / 2) * (1 + 2 ** -15));
        });
      }),
      { numRuns: 1000 },
    );
  });

  it.each(INTEGER_CODECS)("$codec: with scales per channel the peak is that of the channel", ({ codec, levels }) => {
    fc.assert(
      fc.property(anyChange(), (change) => {
        const decoded = changeOf(codeTensor(change, { codec, scalePer: "channel" }));
        const channels = channelsOf(change);
        decoded.values.forEach((value, position) => {
          const mates = change.values.filter((_, other) => channels[other] === channels[position]);
          const peak = Math.max(...mates.map(Math.abs));
          const error = Math.abs(value - (change.values[position] as number));
          // One channel in all has one scale, and so has a tensor of one channel: the bound is the same.
          expect(error).toBeLessThanOrEqual((Math.max(peak / levels, 2 ** -126) / 2) * (1 + 2 ** -15));
        });
      }),
      { numRuns: 1000 },
    );
  });

  it("decodes zeros to zeros, of one sign", () => {
    const change: TensorChange = {
      ...{ tensor: 0, elements: 4, channels: 2, selection: { kind: "whole" } },
      values: Float32Array.of(0, -0, -1e-9, 5),
    };
    for (const { codec } of INTEGER_CODECS) {
      expect([...changeOf(codeTensor(change, { codec })).values]).toEqual([0, 0, 0, 5]);
    }
  });

  it.each([NaN, Infinity, 3.4e38])("refuses %s", (value) => {
    const change = { ...(changes[1] as TensorChange), values: Float32Array.of(1, value, 2) };
    const codecs = value === 3.4e38 ? (["int8", "int4"] as const) : (["f32", "int8", "int4"] as const);
    for (const codec of codecs) {
      expect(() => codeTensor(change, { codec })).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
    }
  });

  it.each([
    ["too few values", { values: Float32Array.of(1) }],
    ["channels that do not divide", { channels: 2 }],
  ])("is a mistake of the program with %s", (_what, part) => {
    expect(() => codeTensor({ ...(changes[1] as TensorChange), ...part }, { codec: "f32" })).toThrow(RangeError);
  });
});

describe("changeOf", () => {
  const [byIndex, whole] = changes.map((change) => codeTensor(change, { codec: "int4" })) as [CodedTensor, CodedTensor];
  const scale = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);

  it.each<[string, CodedTensor, RegExp]>([
    ["no elements", { ...byIndex, elements: 0 }, /multiple of channels/],
    ["no channels", { ...byIndex, channels: 0 }, /multiple of channels/],
    ["channels that do not divide the elements", { ...byIndex, channels: 5 }, /multiple of channels/],
    ["nothing selected", { ...byIndex, selected: 0 }, /from 1 to 12/],
    ["more selected than there is", { ...byIndex, selected: 13 }, /from 1 to 12/],
    ["more selected than its data", { ...byIndex, selected: 6 }, /3 bytes/],
    ["a place outside", { ...byIndex, elements: 9 }, /below 9/],
    ["data too short", { ...whole, data: Uint8Array.of(1) }, /2 bytes/],
    ["a last half byte that is not 0", { ...whole, data: Uint8Array.of(1, 0x10) }, /odd half byte/],
    ["gaps of a whole tensor", { ...whole, gaps: Uint8Array.of(0) }, /no gaps/],
    ["a selection of a whole tensor", { ...whole, selected: 1 }, /select nothing/],
    ["two scales", { ...whole, scales: new Uint8Array(8) }, /1 or 3 scales/],
    ["a scale below 0", { ...whole, scales: scale(-1) }, /from 0 to/],
    ["a scale that is not a number", { ...whole, scales: scale(NaN) }, /from 0 to/],
    ["scales of f32", { ...whole, codec: "f32", data: new Uint8Array(12) }, /no scales/],
    [
      "f32 that is not finite",
      { ...whole, codec: "f32", scales: new Uint8Array(0), data: new Uint8Array(12).fill(0xff) },
      /finite/,
    ],
  ])("refuses %s", (_what, coded, message) => {
    expect(() => changeOf(coded)).toThrow(message);
    expect(() => changeOf(coded)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });

  it("takes no memory for what the bytes do not hold", () => {
    const before = process.memoryUsage().arrayBuffers;
    const hostile = { ...byIndex, elements: 2 ** 32 - 1, channels: 1, selected: 2 ** 32 - 1 };
    expect(() => changeOf(hostile)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});
