/**
 * The bytes against two readers that are not ours and know only the .proto files: protobufjs's reflection, and buf
 * (Google's Go implementation). What they read is what any other language would.
 */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import {
  decodeCommand,
  decodeCommandReply,
  decodeEvent,
  decodeFrame,
  encodeActivation,
  encodeCommand,
  encodeCommandReply,
  encodedTensorBytes,
  encodeEvent,
  encodeGap,
  encodeGradient,
  splitFrame,
} from "../../../src/messages/index.ts";
import {
  activation,
  CODECS,
  commands,
  facts,
  floats,
  gradient,
  header,
  labels,
  provenanceActivation,
  replies,
} from "./samples.ts";

const SCHEMAS = path.resolve(import.meta.dirname, "../../../schemas");

const root = new protobuf.Root();
root.resolvePath = (_, target) => path.resolve(SCHEMAS, target);
root.loadSync(["frame", "events", "control"].map((name) => `knowledgenet/v1/${name}.proto`));

function reference(type: string): protobuf.Type {
  return root.lookupType(`knowledgenet.v1.${type}`);
}

/** What the reference reads, with its longs as numbers and its enums as words. */
function read(type: string, message: Uint8Array): Record<string, unknown> {
  return reference(type).toObject(reference(type).decode(message), { longs: Number, enums: String });
}

/** The same content, encoded by the reference in its own order of fields. */
function rewrite(type: string, message: Uint8Array): Uint8Array {
  return reference(type).encode(reference(type).decode(message)).finish();
}

/** The message as JSON by buf, which fails on whatever the schemas do not allow. */
function readByBuf(type: string, message: Uint8Array): unknown {
  const buf = createRequire(import.meta.url)
    .resolve("@bufbuild/buf/package.json")
    .replace("package.json", "bin/buf");
  const flags = [
    "convert",
    SCHEMAS,
    "--type",
    `knowledgenet.v1.${type}`,
    "--from",
    "-#format=binpb",
    "--to",
    "-#format=json",
  ];
  return JSON.parse(execFileSync(process.execPath, [buf, ...flags], { input: message, encoding: "utf8" }));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** A block of int8 may be a sample: on the wire it says how long it is. */
const CODEC_NAMES = {
  raw: "CODEC_RAW",
  bf16: "CODEC_BF16",
  "int8-channel": "CODEC_INT8_CHANNEL",
  "int8-block": "CODEC_INT8_BLOCK",
  "int8-sample": "CODEC_INT8_BLOCK",
} as const satisfies Readonly<Record<(typeof CODECS)[number], string>>;

describe("encodeActivation", () => {
  it.each(CODECS)("writes with %s what the schemas say", (codec) => {
    const tensor = floats([4, 700]);
    const message = encodeActivation(activation({ tensor }), codec);
    const content = read("Frame", message).activation as { tensor: { data: Uint8Array; scales?: Uint8Array } };
    expect(content).toMatchObject({
      header,
      phase: "PHASE_TRAIN",
      tensor: { dtype: "DTYPE_F32", shape: [4, 700], codec: CODEC_NAMES[codec] },
      labels: { dtype: "DTYPE_I32", shape: [4], codec: "CODEC_RAW", data: new Uint8Array(labels(4).values.buffer) },
    });
    const { data, scales } = content.tensor;
    expect(data.length + (scales?.length ?? 0)).toBe(encodedTensorBytes([4, 700], "f32", codec));
  });

  it("writes a provenance as the schemas say, and reads it back", () => {
    const sent = provenanceActivation();
    const message = encodeActivation(sent, "raw");
    const { provenance, labels: written } = read("Frame", message).activation as Record<
      string,
      Record<string, unknown>
    >;
    expect(provenance).toMatchObject({ view: 11, seed: 2 ** 32 - 1, teacher: 3 });
    expect(provenance?.samples).toEqual(new Uint8Array(Uint32Array.from(sent.provenance?.samples ?? []).buffer));
    expect(written?.data).toEqual(new Uint8Array(sent.labels.values.buffer as ArrayBuffer));
    expect(decodeFrame(message)).toMatchObject({ activation: { provenance: sent.provenance, labels: sent.labels } });
  });

  it("is as long as the reference makes it: no byte is spent that protobuf does not need", () => {
    for (const codec of CODECS) {
      const message = encodeActivation(activation(), codec);
      expect(rewrite("Frame", message)).toHaveLength(message.length);
    }
  });

  it("is read by buf", () => {
    const message = encodeActivation(activation({ header: { ...header, step: Number.MAX_SAFE_INTEGER } }), "raw");
    const { values } = floats([4, 3, 5]);
    expect(readByBuf("Frame", message)).toEqual({
      activation: {
        header: { run: "demo", sender: "block-0", sequence: "7", step: "9007199254740991", version: "5", fence: "2" },
        phase: "PHASE_TRAIN",
        tensor: {
          dtype: "DTYPE_F32",
          shape: [4, 3, 5],
          codec: "CODEC_RAW",
          data: base64(new Uint8Array(values.buffer)),
        },
        labels: {
          dtype: "DTYPE_I32",
          shape: [4],
          codec: "CODEC_RAW",
          data: base64(new Uint8Array(labels(4).values.buffer)),
        },
      },
    });
  });
});

describe("decodeFrame", () => {
  it.each(CODECS)("reads what the reference writes with %s", (codec) => {
    const forward = encodeActivation(activation(), codec);
    const back = encodeGradient(gradient(), codec);
    expect(decodeFrame(rewrite("Frame", forward))).toEqual(decodeFrame(forward));
    expect(decodeFrame(rewrite("Frame", back))).toEqual(decodeFrame(back));
  });

  it("reads a gap that the reference writes, and writes what the schemas say", () => {
    const message = encodeGap({ header, first: 3 });
    expect(decodeFrame(rewrite("Frame", message))).toEqual({ kind: "gap", gap: { header, first: 3 } });
    expect(read("Frame", message)).toEqual({ gap: { header, first: 3 } });
  });

  it("reads a shape that is not packed, as older writers may send it", () => {
    const packed = encodeGradient(gradient({ tensor: floats([2, 3]) }), "raw");
    const unpacked = new protobuf.Root();
    unpacked.resolvePath = root.resolvePath;
    unpacked.loadSync("knowledgenet/v1/frame.proto");
    unpacked.lookupType("knowledgenet.v1.Tensor").fields.shape?.setOption("packed", false);
    const type = unpacked.lookupType("knowledgenet.v1.Frame");
    const message = type.encode(reference("Frame").decode(packed)).finish();
    expect(decodeFrame(message)).toEqual(decodeFrame(packed));
  });
});

describe("splitFrame", () => {
  it("writes what the schemas say", () => {
    const whole = encodeActivation(activation({ tensor: floats([4, 700]) }), "raw");
    const parts = splitFrame(whole, 4096).map(
      (part) => (read("Frame", part) as { chunk: { payload: Uint8Array } }).chunk,
    );
    expect(parts[2]).toMatchObject({ index: 2, count: 3, totalBytes: whole.length });
    expect(Buffer.concat(parts.map(({ payload }) => payload)).equals(whole)).toBe(true);
  });
});

describe("encodeEvent", () => {
  it.each(facts)("writes what the schemas say: $kind", (fact) => {
    const message = encodeEvent({ header, fact });
    expect([...rewrite("Event", message)]).toEqual([...message]);
    expect(decodeEvent(rewrite("Event", message))).toEqual({ header, fact });
  });

  it("is read by buf", () => {
    const [fact] = facts;
    if (fact === undefined) throw new Error("no sample");
    expect(readByBuf("Event", encodeEvent({ header, fact }))).toEqual({
      header: { run: "demo", sender: "block-0", sequence: "7", step: "6", version: "5", fence: "2" },
      progress: {
        consumed: "12",
        applied: "9",
        loss: 0.25,
        stalenessSteps: "3",
        quality: { cosine: 0.75, relativeError: 0.5, updates: "8" },
        computeMs: 1.5,
        receivedBytes: "4096",
        drops: { duplicate: "2", stale: "1" },
        skipped: { restarted: "2" },
        pending: "1",
        sentBytes: { act: "70000", grad: "65536" },
        step: "12",
      },
    });
  });
});

describe("encodeCommand", () => {
  it.each(commands)("writes what the schemas say: $kind", (command) => {
    const message = encodeCommand(command);
    expect([...rewrite("Command", message)]).toEqual([...message]);
    expect(decodeCommand(rewrite("Command", message))).toEqual(command);
  });
});

describe("encodeCommandReply", () => {
  it.each(replies)("writes what the schemas say: $kind", (reply) => {
    const message = encodeCommandReply(reply);
    expect([...rewrite("CommandReply", message)]).toEqual([...message]);
    expect(decodeCommandReply(rewrite("CommandReply", message))).toEqual(reply);
  });
});
