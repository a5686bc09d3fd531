import path from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError } from "../../../../src/errors/index.ts";
import {
  decodeFullUpdateRequest,
  decodeModelUpdate,
  decodeSignedUpdate,
  encodeFullUpdateRequest,
  encodeModelUpdate,
  encodeSignedUpdate,
  type FullUpdateRequest,
  type ModelUpdate,
  type SignedUpdate,
} from "../../../../src/messages/index.ts";
import { seededDraws, updates } from "./update-samples.ts";

const LIMITS = { maxBytes: 1 << 20 };
const SCHEMAS = path.resolve(import.meta.dirname, "../../../../schemas");
const root = new protobuf.Root();
root.resolvePath = (_, target) => path.resolve(SCHEMAS, target);
root.loadSync("knowledgenet/v1/update.proto");

/** Bytes as text: some are a Buffer, some a view. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

const masked = updates[0] as ModelUpdate;
const requests: readonly FullUpdateRequest[] = [
  { model: "digits", newest: 0 },
  { model: "digits", newest: 9, held: { number: 7, digest: "cd".repeat(32) } },
];
const signed: readonly SignedUpdate[] = updates.map((update, at) => ({
  update: encodeModelUpdate(update),
  ...(at % 2 === 0 ? {} : { signature: { key: new Uint8Array(44).fill(7), signature: new Uint8Array(64).fill(9) } }),
}));

describe("encodeModelUpdate", () => {
  it.each(updates.map((update) => [update.kind, update] as const))("%s arrives as it was sent", (_kind, update) => {
    expect(plain(decodeModelUpdate(encodeModelUpdate(update), LIMITS))).toEqual(plain(update));
  });

  it("writes what the schemas say, as another reader reads it", () => {
    const type = root.lookupType("knowledgenet.v1.ModelUpdate");
    const read = type.toObject(type.decode(encodeModelUpdate(masked)), { longs: Number, enums: String });
    expect(read).toMatchObject({
      ...{ model: "digits", number: 8, kind: "UPDATE_KIND_MASKED", baseNumber: 7 },
      baseDigest: Buffer.alloc(32, 0xab),
      tensors: [
        {
          ...{ elements: 12, channels: 3, selection: "SELECTION_INDICES", selected: 4, codec: "VALUE_CODEC_INT8" },
          data: Buffer.from([64, 129, 32, 16]),
        },
        { tensor: 2, elements: 3, selection: "SELECTION_WHOLE" },
      ],
    });
  });

  it.each<[string, Partial<ModelUpdate>, RegExp]>([
    ["the number 0", { result: { ...masked.result, number: 0 } }, /from 1/],
    ["a base that is not older", { base: { ...masked.result } }, /below 8/],
    ["a base of a full one", { kind: "full" }, /full one must have/],
    ["tensors of a restoring one", { kind: "restore" }, /restoring/],
    ["no tensors", { tensors: [] }, /restoring/],
    ["a tensor twice", { tensors: [...masked.tensors, ...masked.tensors] }, /ascend/],
    ["a selection of another kind", { kind: "batch-norm" }, /select by whole/],
  ])("is a mistake of the program with %s", (_what, part, message) => {
    expect(() => encodeModelUpdate({ ...masked, ...part })).toThrow(message);
  });

  it("needs no more than 24 bytes a tensor beside what it carries", () => {
    const carried = masked.tensors.reduce(
      (sum, { gaps, scales, data }) => sum + gaps.length + scales.length + data.length,
      0,
    );
    expect(encodeModelUpdate(masked).length - carried).toBeLessThanOrEqual(90 + 24 * masked.tensors.length);
  });
});

describe("decodeModelUpdate", () => {
  const { base: _base, ...withoutBase } = masked;
  const type = root.lookupType("knowledgenet.v1.ModelUpdate");
  const rewritten = (update: ModelUpdate, part: object): Uint8Array =>
    type.encode({ ...type.toObject(type.decode(encodeModelUpdate(update))), ...part }).finish();

  it.each<[string, Uint8Array, RegExp]>([
    ["no base", rewritten(masked, { baseNumber: 0, baseDigest: new Uint8Array(0) }), /must have a base/],
    ["a base without a digest", rewritten(masked, { baseDigest: new Uint8Array(0) }), /base_digest must have 32/],
    ["a number of 0", rewritten(masked, { number: 0 }), /from 1/],
    ["a digest of 31 bytes", rewritten(masked, { resultDigest: new Uint8Array(31) }), /result_digest must have 32/],
    ["a model that is no token", rewritten(masked, { model: "a.b" }), /model must be/],
    ["an unknown kind", rewritten(masked, { kind: 9 }), /kind must be one of/],
    ["a full one that lacks a tensor", encodeFullWithout0(), /every tensor/],
  ])("refuses %s", (_what, message, rule) => {
    expect(() => decodeModelUpdate(message, LIMITS)).toThrow(rule);
    expect(() => decodeModelUpdate(message, LIMITS)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });

  function encodeFullWithout0(): Uint8Array {
    const { tensors } = type.decode(encodeModelUpdate({ ...withoutBase, ...full })) as unknown as {
      tensors: unknown[];
    };
    return rewritten(full, { tensors: tensors.slice(1) });
  }

  it("refuses more than 32,768 fields, and more bytes than it may have", () => {
    expect(() => decodeModelUpdate(new Uint8Array(1 << 20).fill(0x78), LIMITS)).toThrow(/32768 fields/);
    expect(() => decodeModelUpdate(encodeModelUpdate(masked), { maxBytes: 10 })).toThrow(/at most 10 bytes/);
  });
});

const full = updates.find(({ kind }) => kind === "full") as ModelUpdate;

describe("encodeSignedUpdate", () => {
  it("arrives as it was sent, signed or not", () => {
    for (const each of signed) {
      expect(plain(decodeSignedUpdate(encodeSignedUpdate(each), LIMITS))).toEqual(plain(each));
    }
  });
});

describe("decodeSignedUpdate", () => {
  it("refuses an update of which any bit is flipped", () => {
    const message = encodeSignedUpdate(signed[0] as SignedUpdate);
    fc.assert(
      fc.property(fc.nat((signed[0] as SignedUpdate).update.length - 1), fc.nat(7), (at, bit) => {
        const damaged = new Uint8Array(message);
        damaged[3 + at] = (damaged[3 + at] as number) ^ (1 << bit);
        expect(() => decodeSignedUpdate(damaged, LIMITS)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
      }),
    );
  });

  it("refuses a key without a signature, and one of another length", () => {
    const { update } = signed[0] as SignedUpdate;
    for (const [keyBytes, signatureBytes] of [
      [44, 0],
      [0, 64],
      [129, 64],
      [44, 63],
    ] as const) {
      const signature = { key: new Uint8Array(keyBytes), signature: new Uint8Array(signatureBytes) };
      expect(() => decodeSignedUpdate(encodeSignedUpdate({ update, signature }), LIMITS)).toThrow(/Ed25519/);
    }
  });
});

describe("encodeFullUpdateRequest", () => {
  it.each(requests)("arrives as it was sent: %j", (request) => {
    expect(decodeFullUpdateRequest(encodeFullUpdateRequest(request))).toEqual(request);
  });

  it("is refused with a newest number below the served one", () => {
    const request = encodeFullUpdateRequest({ ...(requests[1] as FullUpdateRequest), newest: 6 });
    expect(() => decodeFullUpdateRequest(request)).toThrow(/newest/);
  });
});

describe("every decoder of an update", () => {
  it("takes or refuses each of 60,000 damaged messages", () => {
    const samples = [
      ...updates.map((update) => ({ message: encodeModelUpdate(update), decode: decodeModelUpdate })),
      ...signed.map((each) => ({ message: encodeSignedUpdate(each), decode: decodeSignedUpdate })),
      ...requests.map((request) => ({ message: encodeFullUpdateRequest(request), decode: decodeFullUpdateRequest })),
    ];
    const draw = seededDraws(20_261_127);
    const below = (limit: number): number => Math.floor(draw() * limit);
    let taken = 0;
    for (let round = 0; round < 60_000; round += 1) {
      const { message, decode } = samples[below(samples.length)] as (typeof samples)[number];
      const bytes = [...message];
      for (let times = 1 + below(3); times > 0; times -= 1) {
        const at = below(bytes.length + 1);
        switch (below(4)) {
          case 0:
            if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(8));
            break;
          case 1:
            bytes.length = at;
            break;
          case 2:
            bytes.splice(at, 0, ...Array.from({ length: 1 + below(8) }, () => below(256)));
            break;
          default:
            bytes.splice(at, 1 + below(8));
        }
      }
      try {
        decode(Uint8Array.from(bytes), LIMITS);
        taken += 1;
      } catch (error) {
        if (!isKnowledgeNetError(error, "KN_DECODE")) {
          throw new Error(`round ${round}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
        }
      }
    }
    // Both must happen often, or the damage tests nothing.
    expect(taken).toBeGreaterThan(1_000);
    expect(taken).toBeLessThan(40_000);
  }, 60_000);
});
