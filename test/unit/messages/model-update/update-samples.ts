/** Masks, tensors and updates that the tests of model updates share; the same for the same seed on any machine. */
import fc from "fast-check";
import { codeTensor, type ModelUpdate, type TensorChange } from "../../../../src/messages/index.ts";

/** Mulberry32: uniform in [0, 1). */
export function seededDraws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Each of `elements` places with probability `p`; ascending. */
export function randomMask(elements: number, p: number, seed: number): Uint32Array {
  const draw = seededDraws(seed);
  return Uint32Array.from({ length: elements }, (_, index) => index).filter(() => draw() < p);
}

const DIGESTS = { base: "ab".repeat(32), result: "0123456789abcdef".repeat(4) };

export const changes: readonly TensorChange[] = [
  {
    ...{ tensor: 0, elements: 12, channels: 3, selection: { kind: "indices", at: Uint32Array.of(0, 4, 5, 11) } },
    values: Float32Array.of(1, -2, 0.5, 0.25),
  },
  { tensor: 2, elements: 3, channels: 3, selection: { kind: "whole" }, values: Float32Array.of(-1, 1e-9, 3) },
];

const masked: ModelUpdate = {
  ...{ model: "digits", kind: "masked" },
  result: { number: 8, digest: DIGESTS.result },
  base: { number: 7, digest: DIGESTS.base },
  tensors: changes.map((change) => codeTensor(change, { codec: "int8" })),
};

const byChannel: TensorChange = {
  ...{ tensor: 1, elements: 12, channels: 4, selection: { kind: "channels", at: Uint32Array.of(1, 3) } },
  values: Float32Array.of(1, 100, 2, 200, 3, 300),
};

/** One of each kind. */
export const updates: readonly ModelUpdate[] = [
  masked,
  { ...masked, tensors: changes.map((change) => codeTensor(change, { codec: "int4", scalePer: "channel" })) },
  { ...masked, kind: "channels", tensors: [codeTensor(byChannel, { codec: "int8", scalePer: "channel" })] },
  { ...masked, kind: "batch-norm", tensors: [codeTensor(changes[1] as TensorChange, { codec: "f32" })] },
  {
    ...{ model: "digits", kind: "full", result: masked.result },
    tensors: [0, 1].map((tensor) => codeTensor({ ...(changes[1] as TensorChange), tensor }, { codec: "f32" })),
  },
  { ...masked, kind: "restore", tensors: [] },
];

/** What an update may set in a tensor of up to 60 values, within `range`. */
export function anyChange(range = 1e30): fc.Arbitrary<TensorChange> {
  return fc
    .record({
      tensor: fc.nat(2000),
      rows: fc.integer({ min: 1, max: 6 }),
      channels: fc.integer({ min: 1, max: 10 }),
      kind: fc.constantFrom("whole" as const, "channels", "indices"),
      picks: fc.infiniteStream(fc.boolean()),
      draws: fc.infiniteStream(fc.float({ min: -Math.fround(range), max: Math.fround(range), noNaN: true })),
    })
    .map(({ tensor, rows, channels, kind, picks, draws }) => {
      const elements = rows * channels;
      const places = Uint32Array.from({ length: kind === "channels" ? channels : elements }, (_, at) => at);
      const picked = places.filter(() => picks.next().value as boolean);
      const at = picked.length === 0 ? places.subarray(0, 1) : picked;
      const values = kind === "whole" ? elements : at.length * (kind === "channels" ? rows : 1);
      return {
        ...{ tensor, elements, channels, selection: kind === "whole" ? { kind } : { kind, at } },
        values: Float32Array.from({ length: values }, () => draws.next().value as number),
      };
    });
}
