/** Observations on the wire: against readers that know only the schemas, against damage, and with anything that is valid. */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError } from "../../../../src/errors/index.ts";
import {
  decodeLiveInputs,
  decodeObservedInput,
  encodeLiveInputs,
  encodeObservedInput,
  type InputTensor,
  type LiveInputs,
  liveInputsBytes,
  type ObservedInput,
} from "../../../../src/messages/index.ts";
import { anyCount, anyFloats, anyToken, anyValue } from "../samples.ts";
import { seededDraws } from "../model-update/update-samples.ts";
import { comparedInput, comparedInputs, liveInputs, observedInput } from "./observation-samples.ts";

const LIMITS = { maxBytes: 1 << 20 };
const SCHEMAS = path.resolve(import.meta.dirname, "../../../../schemas");
const root = new protobuf.Root();
root.resolvePath = (_, target) => path.resolve(SCHEMAS, target);
root.loadSync("knowledgenet/v1/observation.proto");

const typeOf = (name: string): protobuf.Type => root.lookupType(`knowledgenet.v1.${name}`);
const readBy = (name: string, message: Uint8Array): Record<string, unknown> =>
  typeOf(name).toObject(typeOf(name).decode(message), { longs: Number, enums: String });
const rewritten = (name: string, message: Uint8Array, part: object = {}): Uint8Array =>
  typeOf(name)
    .encode({ ...typeOf(name).toObject(typeOf(name).decode(message)), ...part })
    .finish();

function readByBuf(name: string, message: Uint8Array): unknown {
  const packageFile = createRequire(import.meta.url).resolve("@bufbuild/buf/package.json");
  const formats = ["--from", "-#format=binpb", "--to", "-#format=json"];
  const flags = [packageFile.replace("package.json", "bin/buf"), "convert", SCHEMAS, "--type"];
  const output = execFileSync(process.execPath, [...flags, `knowledgenet.v1.${name}`, ...formats], { input: message });
  return JSON.parse(output.toString());
}

const base64 = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("base64");

const anyBytes: fc.Arbitrary<InputTensor> = fc
  .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
  .chain((shape) => {
    const elements = shape.reduce((product, extent) => product * extent, 1);
    return fc
      .uint8Array({ minLength: elements, maxLength: elements })
      .map((values) => ({ dtype: "u8" as const, shape, values }));
  });
const anyInput: fc.Arbitrary<InputTensor> = fc.oneof(anyFloats, anyBytes);
const anyLogits = (shape: readonly number[]) =>
  fc
    .array(anyValue, { minLength: shape.reduce((a, b) => a * b), maxLength: shape.reduce((a, b) => a * b) })
    .map((values) => ({ dtype: "f32" as const, shape, values: Float32Array.from(values) }));
const anyShare = fc.double({ min: 0, max: 1, noNaN: true });

const anyComparison: fc.Arbitrary<NonNullable<ObservedInput["comparison"]>> = fc
  .record({ compared: fc.integer({ min: 1 }), disagrees: fc.boolean() })
  .chain(({ compared, disagrees }) =>
    fc.record(
      {
        ...{ candidate: fc.integer({ min: 1 }), disagrees: fc.constant(disagrees), compared: fc.constant(compared) },
        disagreements: fc.integer({ min: disagrees ? 1 : 0, max: compared }),
      },
      { noNullPrototype: true },
    ),
  );

const anyObserved: fc.Arbitrary<ObservedInput> = fc.record(
  {
    ...{ model: anyToken, observer: anyToken, epoch: anyToken, number: anyCount },
    ...{ atMs: fc.nat(), expiresAtMs: fc.integer({ min: 2 ** 31, max: 2 ** 50 }), release: fc.integer({ min: 1 }) },
    stratum: fc.constantFrom("uniform", "interesting"),
    inclusion: fc.double({ min: Number.MIN_VALUE, max: 1, noNaN: true }),
    weight: fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true }),
    interest: fc.record(
      { disagreement: anyShare, uncertainty: anyShare, novelty: anyShare },
      { noNullPrototype: true },
    ),
    input: anyInput,
    logits: fc.integer({ min: 2, max: 12 }).chain((classes) => anyLogits([classes])),
  },
  { noNullPrototype: true },
);
const anyOrNone = fc.oneof(
  anyObserved,
  fc.tuple(anyObserved, anyComparison).map(([observed, comparison]) => ({ ...observed, comparison })),
);
const anyLive: fc.Arbitrary<LiveInputs> = fc
  .record({ input: anyInput.filter(({ shape }) => shape.length >= 2), classes: fc.integer({ min: 2, max: 12 }) })
  .chain(({ input, classes }) => {
    const logits = anyLogits([input.shape[0] ?? 0, classes]);
    const answered = { model: anyToken, release: fc.integer({ min: 1 }), input: fc.constant(input), logits };
    const copied = { candidateLogits: logits, candidateRelease: fc.integer({ min: 1 }) };
    return fc.oneof(
      fc.record(answered, { noNullPrototype: true }),
      fc.record({ ...answered, ...copied }, { noNullPrototype: true }),
    );
  });

describe("encodeLiveInputs", () => {
  it("writes what the schemas say, as buf and another reader read it", () => {
    const message = encodeLiveInputs(comparedInputs);
    const { input, logits, candidateLogits = logits } = comparedInputs;
    const logitsOf = ({ values }: LiveInputs["logits"]) => ({
      ...{ dtype: "DTYPE_F32", shape: [2, 3], codec: "CODEC_RAW", data: base64(values) },
    });
    expect(readByBuf("LiveInputs", message)).toEqual({
      ...{ model: "digits", release: "4", candidateRelease: "6" },
      input: { dtype: "DTYPE_U8", shape: [2, 2, 2, 1], codec: "CODEC_RAW", data: base64(input.values) },
      ...{ logits: logitsOf(logits), candidateLogits: logitsOf(candidateLogits) },
    });
    expect(decodeLiveInputs(rewritten("LiveInputs", message), LIMITS)).toEqual(comparedInputs);
  });

  it("carries any inputs, in no more bytes than liveInputsBytes says", () => {
    fc.assert(
      fc.property(anyLive, (live) => {
        const message = encodeLiveInputs(live);
        expect(decodeLiveInputs(message, LIMITS)).toEqual(live);
        expect(message.length).toBeLessThanOrEqual(liveInputsBytes(live));
      }),
    );
  });

  it.each<[string, Partial<LiveInputs>, RegExp]>([
    ["logits of other samples", { logits: { ...liveInputs.logits, shape: [3, 2] } }, /\[2, classes\]/],
    [
      "more samples than a batch has",
      { input: { dtype: "u8", shape: [257, 1], values: new Uint8Array(257) } },
      /at most 256 samples/,
    ],
    [
      "a candidate's logits of other samples",
      { candidateLogits: { dtype: "f32", shape: [1, 3], values: new Float32Array(3) }, candidateRelease: 6 },
      /candidate's logits must be \[2, 3\]/,
    ],
    ["a candidate's logits without its release", { candidateLogits: liveInputs.logits }, /come with its release/],
    ["a candidate's release without its logits", { candidateRelease: 6 }, /come with its release/],
    [
      "the release 0 of a candidate",
      { candidateLogits: liveInputs.logits, candidateRelease: 0 },
      /come with its release/,
    ],
  ])("is a mistake of the program with %s", (_what, part, rule) => {
    expect(() => encodeLiveInputs({ ...liveInputs, ...part })).toThrow(rule);
  });

  it("refuses a value that is not finite with KN_NUMERIC", () => {
    const input = { dtype: "f32", shape: [2, 1], values: Float32Array.of(1, Number.NaN) } as const;
    expect(() => encodeLiveInputs({ ...liveInputs, input })).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
  });
});

describe("decodeLiveInputs", () => {
  const message = encodeLiveInputs(liveInputs);
  const tensor = (dtype: string, shape: readonly number[], bytes: number): object => ({
    ...{ dtype: `DTYPE_${dtype}`, shape, codec: "CODEC_RAW", data: new Uint8Array(bytes) },
  });
  const changed = (part: object): Uint8Array => {
    const type = typeOf("LiveInputs");
    return type.encode(type.fromObject({ ...readBy("LiveInputs", message), ...part })).finish();
  };

  it.each<[string, Uint8Array, RegExp]>([
    ["a model that is no token", changed({ model: "a.*" }), /model must be/],
    ["the release 0", changed({ release: 0 }), /count from 1/],
    ["integers", changed({ input: tensor("I32", [2, 1], 8) }), /f32 or u8/],
    ["inputs without samples' axes", changed({ input: tensor("U8", [2], 2) }), /2 axes/],
    ["more samples than a batch has", changed({ input: tensor("U8", [257, 1], 257) }), /at most 256/],
    ["logits of other samples", changed({ logits: tensor("F32", [3, 2], 24) }), /\[2, classes\]/],
    [
      "a candidate's logits of other classes",
      changed({ candidateLogits: tensor("F32", [2, 2], 16), candidateRelease: 6 }),
      /\[2, 3\]/,
    ],
    [
      "a candidate's logits without its release",
      changed({ candidateLogits: tensor("F32", [2, 3], 24) }),
      /come with its release/,
    ],
    ["a candidate's release without its logits", changed({ candidateRelease: 6 }), /come with its release/],
    ["logits of one axis", changed({ logits: tensor("F32", [2], 8) }), /2 axes/],
    ["no input", changed({ input: null }), /must have its tensors/],
  ])("refuses %s with KN_DECODE", (_what, bytes, rule) => {
    expect(() => decodeLiveInputs(bytes, LIMITS)).toThrow(rule);
    expect(() => decodeLiveInputs(bytes, LIMITS)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });

  it("refuses more bytes than it may have", () => {
    expect(() => decodeLiveInputs(message, { maxBytes: 10 })).toThrow(/at most 10 bytes/);
  });
});

describe("encodeObservedInput", () => {
  const compared = (part: object): Partial<ObservedInput> => ({
    comparison: { candidate: 12, disagrees: true, compared: 40, disagreements: 3, ...part },
  });

  it("writes what the schemas say, as buf and another reader read it", () => {
    const message = encodeObservedInput(comparedInput);
    const { input, logits } = comparedInput;
    expect(readByBuf("ObservedInput", message)).toEqual({
      ...{ model: "digits", observer: "observer-0", epoch: "d3f8a1", number: "7", release: "4" },
      ...{ atMs: "1790000000000", expiresAtMs: "1790003600000" },
      ...{ stratum: "STRATUM_INTERESTING", inclusion: 0.25, weight: 3.2 },
      interest: { disagreement: 1, uncertainty: 0.5 },
      input: { dtype: "DTYPE_U8", shape: [2, 2, 1], codec: "CODEC_RAW", data: base64(input.values) },
      logits: { dtype: "DTYPE_F32", shape: [3], codec: "CODEC_RAW", data: base64(logits.values) },
      ...{ candidate: "12", disagrees: true, compared: "40", disagreements: "3" },
    });
    expect(decodeObservedInput(rewritten("ObservedInput", message), LIMITS)).toEqual(comparedInput);
  });

  it("writes nothing of a candidate where none was compared", () => {
    const fields = Object.keys(readBy("ObservedInput", encodeObservedInput(observedInput)));
    expect(fields).not.toEqual(expect.arrayContaining([expect.stringMatching(/candidate|disagrees|compared/)]));
    expect(fields).toContain("logits");
  });

  it("carries any observation", () => {
    fc.assert(
      fc.property(anyOrNone, (observed) => {
        expect(decodeObservedInput(encodeObservedInput(observed), LIMITS)).toEqual(observed);
      }),
    );
  });

  it.each<[string, Partial<ObservedInput>, RegExp]>([
    ["an end before its time", { expiresAtMs: observedInput.atMs }, /above at_ms/],
    ["an inclusion of 0", { inclusion: 0 }, /inclusion/],
    ["a weight that is not finite", { weight: Infinity }, /weight/],
    ["an interest above 1", { interest: { ...observedInput.interest, novelty: 1.5 } }, /novelty/],
    ["the candidate 0", compared({ candidate: 0 }), /candidate that was compared must count from 1/],
    ["counts that lack the input itself", compared({ compared: 0 }), /compared must count this input/],
    ["more disagreements than inputs", compared({ disagreements: 41 }), /from 1 to compared, 40/],
    ["a disagreement that is not counted", compared({ disagreements: 0 }), /from 1 to compared, 40/],
    ["disagreements below 0", compared({ disagrees: false, disagreements: -1 }), /from 0 to compared, 40/],
  ])("is a mistake of the program with %s", (_what, part, rule) => {
    expect(() => encodeObservedInput({ ...observedInput, ...part })).toThrow(rule);
  });
});

describe("decodeObservedInput", () => {
  const message = encodeObservedInput(observedInput);
  const changed = (part: object): Uint8Array => rewritten("ObservedInput", message, part);

  it.each<[string, Uint8Array, RegExp]>([
    ["an observer that is no token", changed({ observer: "" }), /observer must be/],
    ["an epoch that is no token", changed({ epoch: "a b" }), /epoch must be/],
    ["an end before its time", changed({ expiresAtMs: 1 }), /above at_ms/],
    ["the release 0", changed({ release: 0 }), /count from 1/],
    ["an unknown stratum", changed({ stratum: 9 }), /stratum must be one of/],
    ["no stratum", changed({ stratum: 0 }), /stratum must be one of/],
    ["an inclusion above 1", changed({ inclusion: 1.5 }), /inclusion/],
    ["an inclusion that is no number", changed({ inclusion: Number.NaN }), /inclusion/],
    ["a weight of 0", changed({ weight: 0 }), /weight/],
    ["an interest below 0", changed({ interest: { uncertainty: -0.5 } }), /uncertainty/],
    ["a disagreement with no candidate", changed({ disagrees: true }), /candidate that was compared must count from 1/],
    ["a count with no candidate", changed({ compared: 3 }), /candidate that was compared must count from 1/],
    ["disagreements with no candidate", changed({ disagreements: 3 }), /candidate that was compared must count from 1/],
    ["a candidate without counts", changed({ candidate: 12 }), /compared must count this input/],
    ["more disagreements than inputs", changed({ candidate: 1, compared: 2, disagreements: 3 }), /from 0 to compared/],
    ["a disagreement that is not counted", changed({ candidate: 1, compared: 2, disagrees: true }), /from 1 to/],
    ["no logits", changed({ logits: null }), /must have its tensors/],
  ])("refuses %s with KN_DECODE", (_what, bytes, rule) => {
    expect(() => decodeObservedInput(bytes, LIMITS)).toThrow(rule);
    expect(() => decodeObservedInput(bytes, LIMITS)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });
});

describe("every decoder of an observation", () => {
  it("takes or refuses each of 40,000 damaged messages", () => {
    const samples = [
      { message: encodeLiveInputs(comparedInputs), decode: decodeLiveInputs },
      { message: encodeObservedInput(comparedInput), decode: decodeObservedInput },
    ] as const;
    const draw = seededDraws(20_261_128);
    const below = (limit: number): number => Math.floor(draw() * limit);
    let taken = 0;
    for (let round = 0; round < 40_000; round += 1) {
      const { message, decode } = samples[below(2)] as (typeof samples)[number];
      const bytes = [...message];
      for (let times = 1 + below(3); times > 0; times -= 1) {
        const at = below(bytes.length);
        const inserted = Array.from({ length: below(4) }, () => below(256));
        if (below(2) === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        else bytes.splice(at, below(8), ...inserted);
      }
      try {
        decode(Uint8Array.from(bytes), LIMITS);
        taken += 1;
      } catch (error) {
        if (isKnowledgeNetError(error, "KN_DECODE")) continue;
        throw new Error(`round ${round}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
      }
    }
    expect(taken).toBeGreaterThan(1_000);
    expect(taken).toBeLessThan(39_000);
  });
});
