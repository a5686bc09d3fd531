import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeModelUpdate, decodeSignedUpdate, type ValueCoding } from "../../../../src/messages/index.ts";
import type { NamedTensors } from "../../../../src/models/index.ts";
import {
  applyUpdates,
  batchNormStatistics,
  buildUpdate,
  digestOfTensors,
  movementBetween,
  selectChannels,
  selectIndices,
  type UpdateContent,
} from "../../../../src/models/updates/index.ts";
import { moved, normalWeights, SMALL, studentShapes, valuesByPlace } from "./update-scene.ts";

const LIMITS = { maxBytes: 64 << 20 };
const INT8: ValueCoding = { codec: "int8" };
const base = { number: 7, tensors: normalWeights(SMALL, 1) };
const trained = moved(base.tensors, 0.1, 2);
const movements = Object.fromEntries(
  Object.entries(trained).map(([name, { values }]) => [
    name,
    movementBetween(base.tensors[name]?.values as Float32Array, values as Float32Array),
  ]),
);
const request = { model: "digits", number: 8, base, trained };

/** What a device makes of the bytes. */
function receive(bytes: Uint8Array, from: NamedTensors | undefined): NamedTensors {
  return applyUpdates([decodeModelUpdate(decodeSignedUpdate(bytes, LIMITS).update, LIMITS)], SMALL, from);
}

const contents: readonly UpdateContent[] = [
  { kind: "masked", indices: selectIndices(movements, 0.3), coding: INT8 },
  { kind: "masked", indices: selectIndices(movements, 0.3), coding: { codec: "int4", scalePer: "channel" }, whole: [] },
  { kind: "channels", channels: selectChannels(movements, SMALL, 0.4), coding: { codec: "int8", scalePer: "channel" } },
  { kind: "batch-norm" },
  { kind: "full" },
  { kind: "full", coding: { codec: "int8", scalePer: "channel" } },
];

describe("buildUpdate", () => {
  it.each(contents)("of content %# a device makes the weights that the gate judges", (content) => {
    const built = buildUpdate({ ...request, content });
    const received = receive(built.bytes, base.tensors);
    expect(received).toEqual(built.tensors);
    expect(digestOfTensors(received)).toBe(built.result.digest);
    // Values, not differences: a second time changes nothing.
    expect(receive(built.bytes, received)).toEqual(received);
  });

  it("sets what is selected to what was trained, within half a scale, and leaves the rest", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.02, max: 1, noNaN: true }), (fraction) => {
        const indices = selectIndices(movements, fraction);
        const built = buildUpdate({ ...request, content: { kind: "masked", indices, coding: INT8, whole: [] } });
        const [before, wanted, after] = [base.tensors, trained, built.tensors].map(valuesByPlace) as [
          Map<string, number>,
          Map<string, number>,
          Map<string, number>,
        ];
        for (const [place, value] of after) {
          const [, name = "", index] = /^(.*)\[(\d+)\]$/.exec(place) ?? [];
          const isSelected = indices[name]?.includes(Number(index)) ?? false;
          const peak = Math.max(...Array.from(trained[name]?.values ?? [], Math.abs));
          if (isSelected) expect(Math.abs(value - (wanted.get(place) as number))).toBeLessThanOrEqual(peak / 253);
          else expect(value).toBe(before.get(place));
        }
      }),
    );
  });

  it("sends the statistics of batch norm whole and exact with a mask, unless told otherwise", () => {
    const { tensors } = buildUpdate({ ...request, content: contents[0] as UpdateContent });
    expect(batchNormStatistics(SMALL)).toEqual(["weights/n1/moving_mean", "weights/n1/moving_variance"]);
    for (const name of batchNormStatistics(SMALL)) expect(tensors[name]).toEqual(trained[name]);
  });

  it("of statistics alone changes nothing else, and of everything needs no base", () => {
    const norm = buildUpdate({ ...request, content: { kind: "batch-norm" } });
    expect(norm.tensors["weights/d1/kernel"]).toBe(base.tensors["weights/d1/kernel"]);
    const full = buildUpdate({ model: "digits", number: 8, trained, content: { kind: "full" } });
    expect(receive(full.bytes, undefined)).toEqual(trained);
    expect(full.update.base).toBeUndefined();
  });

  it("of a rollback has the digest of the earlier weights, in less than 180 bytes", () => {
    const built = buildUpdate({ ...request, content: { kind: "restore" } });
    expect(built.result).toEqual({ number: 8, digest: digestOfTensors(trained) });
    expect(built.bytes.length).toBeLessThan(180);
  });

  it.each<[string, () => unknown]>([
    ["no base", () => buildUpdate({ model: "m", number: 2, trained, content: { kind: "batch-norm" } })],
    [
      "a base of another network",
      () => buildUpdate({ ...request, base: { number: 1, tensors: {} }, content: { kind: "full" } }),
    ],
    [
      "a tensor that there is not",
      () => buildUpdate({ ...request, content: { kind: "masked", indices: { x: Uint32Array.of(0) }, coding: INT8 } }),
    ],
    [
      "a place that there is not",
      () =>
        buildUpdate({
          ...request,
          content: { kind: "masked", indices: { "weights/d1/bias": Uint32Array.of(3) }, coding: INT8 },
        }),
    ],
    ["a number that is not newer", () => buildUpdate({ ...request, number: 7, content: { kind: "batch-norm" } })],
  ])("is a mistake of the program with %s", (_what, act) => {
    expect(act).toThrow(RangeError);
  });

  it("refuses trained weights that are not finite", () => {
    const broken = {
      ...trained,
      "weights/n1/moving_mean": { dtype: "f32" as const, shape: [3], values: Float32Array.of(1, NaN, 2) },
    };
    expect(() => buildUpdate({ ...request, trained: broken, content: { kind: "batch-norm" } })).toThrow(/KN_NUMERIC/);
  });
});

describe("applyUpdates", () => {
  const { update } = buildUpdate({ ...request, content: contents[0] as UpdateContent });

  it("refuses weights that are not the base, by the digest of what comes out", () => {
    const other = {
      ...base.tensors,
      "weights/d1/kernel": { ...base.tensors["weights/d1/kernel"], values: new Float32Array(12) },
    };
    expect(() => applyUpdates([update], SMALL, other as NamedTensors)).toThrow(
      expect.objectContaining({ code: "KN_DECODE" }),
    );
  });

  it("refuses an update of another network", () => {
    for (const shapes of [{}, { ...SMALL, "weights/d1/kernel": [4, 4] }, { ...SMALL, "weights/d1/kernel": [3, 4] }]) {
      expect(() => applyUpdates([update], shapes, base.tensors)).toThrow(
        expect.objectContaining({ code: "KN_DECODE" }),
      );
    }
  });

  it("leaves the base as it is", () => {
    const before = digestOfTensors(base.tensors);
    applyUpdates([update], SMALL, base.tensors);
    expect(digestOfTensors(base.tensors)).toBe(before);
  });
});

describe("the size of an update of 3.0 million weights", () => {
  const shapes = studentShapes();
  const weights = normalWeights(shapes, 3);
  const after = moved(weights, 0.01, 4);
  const student = { model: "student", number: 2, base: { number: 1, tensors: weights }, trained: after };
  const movement = Object.fromEntries(
    Object.entries(after).flatMap(([name, { values }]) =>
      batchNormStatistics({ [name]: 0 }).length > 0
        ? []
        : [[name, movementBetween(weights[name]?.values as Float32Array, values as Float32Array)]],
    ),
  );
  const KILOBYTES = 1000;

  it("has that many", () => {
    const total = Object.values(weights).reduce((sum, { values }) => sum + values.length, 0);
    expect(Math.abs(total - 3e6)).toBeLessThan(50_000);
  });

  it.each([
    { fraction: 0.01, codec: "int8", leastKilobytes: 55, mostKilobytes: 62 },
    { fraction: 0.02, codec: "int8", leastKilobytes: 105, mostKilobytes: 116 },
    { fraction: 0.03, codec: "int8", leastKilobytes: 155, mostKilobytes: 167 },
    { fraction: 0.05, codec: "int8", leastKilobytes: 245, mostKilobytes: 262 },
    { fraction: 0.05, codec: "int4", leastKilobytes: 170, mostKilobytes: 187 },
  ] as const)("$fraction in $codec: $leastKilobytes to $mostKilobytes kB", ({ fraction, codec, ...bounds }) => {
    const content = {
      kind: "masked",
      indices: selectIndices(movement, fraction),
      coding: { codec },
      whole: [],
    } as const;
    const { sizes } = buildUpdate({ ...student, content });
    expect(sizes.totalBytes).toBeLessThan(bounds.mostKilobytes * KILOBYTES);
    expect(sizes.totalBytes).toBeGreaterThan(bounds.leastKilobytes * KILOBYTES);
  });

  it("2 % in int8 with the statistics of batch norm is below 160 kB", () => {
    const content = { kind: "masked", indices: selectIndices(movement, 0.02), coding: INT8 } as const;
    expect(buildUpdate({ ...student, content }).sizes.totalBytes).toBeLessThan(160 * KILOBYTES);
  });

  it("the statistics of batch norm alone are below 15 kB", () => {
    expect(buildUpdate({ ...student, content: { kind: "batch-norm" } }).sizes.totalBytes).toBeLessThan(15 * KILOBYTES);
  });

  it("whole channels need less than 1 % of index", () => {
    const channels = selectChannels(movement, shapes, 0.03);
    const { sizes } = buildUpdate({ ...student, content: { kind: "channels", channels, coding: INT8, whole: [] } });
    expect(sizes.gapBytes).toBeLessThan(sizes.totalBytes / 100);
  });
});
