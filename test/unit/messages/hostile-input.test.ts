/**
 * Whatever comes in, a decoder gives a valid value or throws KN_DECODE (KN_STALE), and holds on to nothing. Real messages
 * are damaged in the ways that find most: flipped bits, cut ends, bytes put in, parts of one message in another.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { isKnowledgeNetError } from "../../../src/errors/index.ts";
import {
  createChunkAssembler,
  decodeCommand,
  decodeCommandReply,
  decodeEvent,
  decodeFrame,
  decodeInferReply,
  decodeInferRequest,
  encodeActivation,
  encodeCommand,
  encodeCommandReply,
  encodeEvent,
  encodeGap,
  encodeGradient,
  encodeInferReply,
  encodeInferRequest,
  encodeStageBatch,
  encodeStageResult,
  splitFrame,
  type TensorView,
} from "../../../src/messages/index.ts";
import {
  activation,
  CODECS,
  commands,
  facts,
  floats,
  gradient,
  header,
  inferReplies,
  inferRequest,
  labels,
  provenanceActivation,
  replies,
  stageBatch,
  stageResults,
} from "./samples.ts";

const LIMITS = { maxBytes: 1 << 20, stepWindow: { newest: 100, span: 1000 } };

type Decoder = (data: Uint8Array) => unknown;

const decodeFrameOf: Decoder = (data) => decodeFrame(data, LIMITS);

const samples: readonly { readonly message: Uint8Array; readonly decode: Decoder }[] = [
  ...CODECS.flatMap((codec) => [
    { message: encodeActivation(activation(), codec), decode: decodeFrameOf },
    { message: encodeActivation(activation({ phase: "evaluate", evaluation: 1 }), codec), decode: decodeFrameOf },
    { message: encodeActivation(provenanceActivation(), codec), decode: decodeFrameOf },
    { message: encodeGradient(gradient(), codec), decode: decodeFrameOf },
  ]),
  { message: encodeGap({ header, first: 3 }), decode: decodeFrameOf },
  ...splitFrame(encodeActivation(activation({ tensor: floats([4, 60]) }), "raw"), 500).map((message) => ({
    message,
    decode: decodeFrameOf,
  })),
  { message: encodeStageBatch(stageBatch), decode: decodeFrameOf },
  ...stageResults.map((result) => ({ message: encodeStageResult(result), decode: decodeFrameOf })),
  { message: encodeInferRequest(inferRequest), decode: (data: Uint8Array) => decodeInferRequest(data, LIMITS) },
  ...inferReplies.map((reply) => ({
    message: encodeInferReply(reply),
    decode: (data: Uint8Array) => decodeInferReply(data, LIMITS),
  })),
  ...facts.map((fact) => ({ message: encodeEvent({ header, fact }), decode: decodeEvent })),
  ...commands.map((command) => ({ message: encodeCommand(command), decode: decodeCommand })),
  ...replies.map((reply) => ({ message: encodeCommandReply(reply), decode: decodeCommandReply })),
];

/** Mulberry32: the same mutations for the same seed on any machine. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Bytes that mean something in protobuf: small tags, length prefixes, ends of varints, all ones. */
const TELLING = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x12, 0x1a, 0x22, 0x0b, 0x0c];

function mutate(message: Uint8Array, other: Uint8Array, draw: (below: number) => number): Uint8Array {
  const bytes = [...message];
  const times = 1 + draw(4);
  for (let time = 0; time < times; time += 1) {
    const at = draw(bytes.length + 1);
    switch (draw(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << draw(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = TELLING[draw(TELLING.length)] as number;
        break;
      case 2:
        bytes.length = at;
        break;
      case 3:
        bytes.splice(at, 0, ...Array.from({ length: 1 + draw(8) }, () => draw(256)));
        break;
      case 4:
        bytes.splice(at, 1 + draw(8));
        break;
      default: {
        const from = draw(other.length + 1);
        bytes.splice(at, draw(32), ...other.subarray(from, from + draw(64)));
      }
    }
  }
  return new Uint8Array(bytes);
}

/** Decodes `rounds` mutations. @returns how many were taken and refused; throws on the first other outcome. */
function attack(rounds: number, seed: number): { taken: number; refused: number } {
  const draw = seeded(seed);
  let taken = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { message, decode } = samples[draw(samples.length)] as (typeof samples)[number];
    const { message: other } = samples[draw(samples.length)] as (typeof samples)[number];
    const mutated = mutate(message, other, draw);
    try {
      expectSound(decode(mutated));
      taken += 1;
    } catch (error) {
      if (isKnowledgeNetError(error, "KN_DECODE", "KN_STALE")) continue;
      throw new Error(`seed ${seed}, round ${round}: ${Buffer.from(mutated).toString("hex")}`, { cause: error });
    }
  }
  return { taken, refused: rounds - taken };
}

/** The promises of a value that was taken, as far as a tensor makes any. */
function expectSound(value: unknown): void {
  const frame = value as Partial<{
    activation: { tensor: TensorView; labels: TensorView };
    gradient: { tensor: TensorView };
  }>;
  for (const tensor of [frame.activation?.tensor, frame.activation?.labels, frame.gradient?.tensor]) {
    if (tensor === undefined) continue;
    const elements = tensor.shape.reduce((product, extent) => product * extent, 1);
    if (tensor.values.length !== elements || !tensor.values.every(Number.isFinite))
      throw new Error("an unsound tensor was taken");
  }
}

/** Bytes of the heap and of array buffers in use, after a full collection. */
function bytesInUse(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe("every decoder", () => {
  it("takes or refuses each of 100,000 damaged messages", () => {
    const { taken, refused } = attack(100_000, 20_260_731);
    // Both must happen often, or the mutations test nothing.
    expect(taken).toBeGreaterThan(5_000);
    expect(refused).toBeGreaterThan(50_000);
  }, 60_000);

  it("holds on to nothing of what it refused", () => {
    attack(10_000, 1);
    const before = bytesInUse();
    for (let round = 0; round < 5; round += 1) attack(8_000, 2 + round);
    // A leak of as little as 100 bytes per message would be 4 MB.
    expect(bytesInUse() - before).toBeLessThan(2_000_000);
  }, 60_000);

  it.each(samples.map(({ message, decode }, index) => ({ index, message, decode })))(
    "refuses or takes sample $index cut at every byte",
    ({ message, decode }) => {
      for (let end = 0; end < message.length; end += 1) {
        try {
          expectSound(decode(message.subarray(0, end)));
        } catch (error) {
          expect(error).toMatchObject({ code: "KN_DECODE" });
        }
      }
    },
  );
});

/** A field of protobuf with a length: tag, length, content. */
function field(number: number, content: Uint8Array): Uint8Array {
  const prefix = [(number << 3) | 2];
  let rest = content.length;
  for (; rest > 127; rest = Math.floor(rest / 128)) prefix.push((rest % 128) | 128);
  prefix.push(rest);
  const bytes = new Uint8Array(prefix.length + content.length);
  bytes.set(prefix);
  bytes.set(content, prefix.length);
  return bytes;
}

describe("decodeFrame", () => {
  const MEBIBYTES_32 = 32 << 20;

  it.each([
    ["a packed shape", field(2, field(3, field(2, new Uint8Array(MEBIBYTES_32).fill(1))))],
    ["a shape, element by element", field(2, field(3, new Uint8Array(MEBIBYTES_32).fill(0x10)))],
    ["unknown fields", new Uint8Array(MEBIBYTES_32).fill(0x78)],
    ["nested groups", new Uint8Array(MEBIBYTES_32).fill(0x7b)],
    ["a name", field(2, field(1, field(1, new Uint8Array(MEBIBYTES_32).fill(0x61))))],
    ["a wrongly typed tensor, repeated", new Uint8Array(MEBIBYTES_32).fill(0x12)],
  ])("refuses 32 MiB of %s without taking memory for it", (_, message) => {
    const before = process.memoryUsage();
    expect(() => decodeFrame(message)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
    const after = process.memoryUsage();
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(4 << 20);
  });

  it("makes no tensor from a shape that its bytes do not fill", () => {
    const message = encodeGradient({ ...gradient(), tensor: floats([1, 1]) }, "raw");
    const shape = message.indexOf(0x12, 2 + message.indexOf(0x1a, 2)); // the tensor's field 2
    expect([...message.subarray(shape, shape + 4)]).toEqual([0x12, 2, 1, 1]);
    message[shape + 3] = 127;
    expect(() => decodeFrame(message)).toThrow(expect.objectContaining({ code: "KN_DECODE" }));
  });
});

describe("createChunkAssembler", () => {
  it("joins or refuses damaged chunks, within its bounds, and never gives a whole that was not sent", () => {
    const draw = seeded(7);
    const assembler = createChunkAssembler({ maxBytes: 10_000 });
    for (let round = 0; round < 3000; round += 1) {
      const whole = encodeActivation(activation({ tensor: floats([4, 60]), labels: labels(4) }), "raw");
      const parts = splitFrame(whole, 500);
      for (const part of parts) {
        const sent = draw(4) === 0 ? mutate(part, parts[0] as Uint8Array, draw) : part;
        try {
          const frame = decodeFrame(sent);
          if (frame.kind !== "chunk") continue;
          const joined = assembler.accept(frame.chunk);
          if (joined !== undefined) expect(Buffer.compare(joined, whole)).toBe(0);
        } catch (error) {
          expect(error).toMatchObject({ code: "KN_DECODE" });
        }
        expect(assembler.heldBytes).toBeLessThanOrEqual(10_000);
      }
    }
    expect(assembler.dropped).toBeGreaterThan(100);
  });
});
