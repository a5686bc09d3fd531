import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { directiveFor, ERROR_CODES, KnowledgeNetError } from "../../../src/errors/index.ts";
import { wire } from "../../../src/messages/generated/knowledgenet.ts";
import {
  decodeCommand,
  decodeCommandReply,
  decodeEvent,
  encodeCommand,
  encodeCommandReply,
  encodeEvent,
  errorOf,
  type Fact,
  failureOf,
  type Progress,
} from "../../../src/messages/index.ts";
import { anyCount, anyHeader, anyToken, commands, facts, header, progress, replies } from "./samples.ts";

const decodeError = expect.objectContaining({ code: "KN_DECODE" });
const anyFigure = fc.double({ noNaN: true, noDefaultInfinity: true });
const anySize = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 });

const anyCounts = fc.dictionary(anyToken, anyCount, { maxKeys: 8, noNullPrototype: true });

const anyProgress: fc.Arbitrary<Progress> = fc
  .record(
    {
      consumed: anyCount,
      applied: anyCount,
      loss: anyFigure,
      stalenessSteps: anyCount,
      quality: fc.record({ cosine: anyFigure, relativeError: anySize, updates: anyCount }, { noNullPrototype: true }),
      computeMs: anySize,
      receivedBytes: anyCount,
      drops: anyCounts,
      skipped: anyCounts,
      pending: anyCount,
      sentBytes: anyCounts,
      step: anyCount,
    },
    {
      requiredKeys: [
        "consumed",
        "applied",
        "stalenessSteps",
        "computeMs",
        "receivedBytes",
        "drops",
        "skipped",
        "pending",
        "sentBytes",
        "step",
      ],
      noNullPrototype: true,
    },
  )
  .map((fields) => ({ kind: "Progress", ...fields }));

describe("encodeEvent", () => {
  it.each(facts)("comes back from decodeEvent: $kind", (fact) => {
    expect(decodeEvent(encodeEvent({ header, fact }))).toEqual({ header, fact });
  });

  it("carries any progress exactly, absent figures as absent", () => {
    fc.assert(
      fc.property(anyHeader, anyProgress, (header, fact) => {
        expect(decodeEvent(encodeEvent({ header, fact }))).toStrictEqual({ header, fact });
      }),
    );
  });

  it.each(["paused", "finished", "epoch-ended", "evaluation-published"] as const)("carries the mark %s", (mark) => {
    const fact = { kind: "FeederMark", mark, epoch: 1, evaluation: 0, evaluationSamples: 0 } as const;
    expect(decodeEvent(encodeEvent({ header, fact })).fact).toEqual(fact);
  });

  it.each([NaN, Infinity])("refuses a loss of %s: training has diverged", (loss) => {
    const fact = { ...progress, loss };
    expect(() => encodeEvent({ header, fact })).toThrow(expect.objectContaining({ code: "KN_NUMERIC" }));
  });

  it("carries 64 reasons of drops", () => {
    const drops = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`reason-${index}`, index]));
    const fact = { ...progress, drops };
    expect(decodeEvent(encodeEvent({ header, fact })).fact).toEqual(fact);
  });

  it.each<[string, Fact]>([
    ["a negative count", { ...progress, consumed: -1 }],
    ["a negative time", { ...progress, computeMs: -1 }],
    ["a reason of a drop that is no token", { ...progress, drops: { "a b": 1 } }],
    ["a cause of a skip that is no token", { ...progress, skipped: { "": 1 } }],
    ["a reason of a switch without end", { kind: "SourceSwitched", from: "a", to: "b", reason: "x".repeat(1025) }],
    [
      "65 reasons of drops",
      { ...progress, drops: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`reason-${index}`, 1])) },
    ],
    [
      "more correct than there are samples",
      { kind: "EvaluationMeasured", evaluation: 1, correct: 2, samples: 1, lossSum: 0 },
    ],
    ["a state of 257 characters", { kind: "StateEntered", state: "x".repeat(257) }],
    ["a digest in capitals", { kind: "CheckpointSaved", name: "a", digest: "A".repeat(64), sizeBytes: 0 }],
  ])("refuses what no receiver would take: %s", (_, fact) => {
    expect(() => encodeEvent({ header, fact })).toThrow(RangeError);
  });
});

describe("decodeEvent", () => {
  it("keeps nothing of the message", () => {
    const message = encodeEvent({ header, fact: progress });
    const event = decodeEvent(message);
    message.fill(0);
    expect(event).toEqual({ header, fact: progress });
  });

  const drops = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`reason-${index}`, 1]));
  it.each([
    ["no fact", {}],
    ["a reason of a drop that is no token", { progress: { drops: { "a b": 1 } } }],
    ["more than 64 reasons", { progress: { drops } }],
    ["more than 64 causes of skips", { progress: { skipped: drops } }],
    ["a switch from what is no token", { sourceSwitched: { from: "a b", to: "b" } }],
    ["an infinite loss", { progress: { loss: Infinity } }],
    ["a negative time", { progress: { computeMs: -1 } }],
    ["more correct than there are samples", { evaluationMeasured: { correct: 2, samples: 1 } }],
    ["a state of 257 characters", { stateEntered: { state: "x".repeat(257) } }],
    ["a text that is larger than any", { stateEntered: { state: "x".repeat(9000) } }],
    ["a failure with an unknown code", { failure: { code: "KN_NEW", message: "", directive: "stop" } }],
    ["a failure with an unknown directive", { failure: { code: "KN_STALE", message: "", directive: "panic" } }],
    [
      "a failure with too long a message",
      { failure: { code: "KN_STALE", message: "x".repeat(2049), directive: "resume" } },
    ],
    ["a digest in capitals", { checkpointSaved: { name: "a", digest: "A".repeat(64) } }],
    ["a mark that is none", { feederMark: { kind: 0 } }],
    ["an unknown mark", { feederMark: { kind: 5 } }],
  ])("refuses %s", (_, fields) => {
    expect(() => decodeEvent(wire.Event.encode({ header, ...fields }).finish())).toThrow(decodeError);
  });

  it("refuses text that is not UTF-8", () => {
    const message = encodeEvent({ header, fact: { kind: "StateEntered", state: "running" } });
    message[message.length - 1] = 0xff;
    expect(() => decodeEvent(message)).toThrow(decodeError);
  });

  it("refuses more than 64 KiB", () => {
    expect(() => decodeEvent(new Uint8Array(64 * 1024 + 1))).toThrow(decodeError);
  });
});

describe("encodeCommand", () => {
  it.each(commands)("comes back from decodeCommand: $kind", (command) => {
    expect(decodeCommand(encodeCommand(command))).toEqual(command);
  });

  it("refuses generation 0", () => {
    for (const kind of ["SaveCheckpoint", "PrepareCheckpoint", "AbandonCheckpoint"] as const)
      expect(() => encodeCommand({ kind, generation: 0 })).toThrow(RangeError);
  });
});

describe("decodeCommand", () => {
  it.each([
    ["no order", {}],
    ["generation 0 to save", { saveCheckpoint: {} }],
    ["generation 0 to prepare", { prepareCheckpoint: {} }],
    ["generation 0 to abandon", { abandonCheckpoint: {} }],
  ])("refuses %s", (_, fields) => {
    expect(() => decodeCommand(wire.Command.encode(fields).finish())).toThrow(decodeError);
  });
});

describe("encodeCommandReply", () => {
  it.each(replies)("comes back from decodeCommandReply: $kind", (reply) => {
    expect(decodeCommandReply(encodeCommandReply(reply))).toEqual(reply);
  });

  it("carries the state of an actor that has no evaluation", () => {
    const reply = { kind: "ActorState", state: "running", progress } as const;
    expect(decodeCommandReply(encodeCommandReply(reply))).toStrictEqual(reply);
  });
});

describe("decodeCommandReply", () => {
  it.each([
    ["no outcome", {}],
    ["a state without its progress", { actorState: { state: "running" } }],
  ])("refuses %s", (_, fields) => {
    expect(() => decodeCommandReply(wire.CommandReply.encode(fields).finish())).toThrow(decodeError);
  });
});

describe("failureOf", () => {
  it.each(ERROR_CODES)("carries %s to the other side and back", (code) => {
    const error = new KnowledgeNetError(code, { attempt: "test", rule: "it must work" });
    const sent = failureOf(error);
    expect(sent).toEqual({ kind: "Failure", code, message: error.message, directive: directiveFor(error) });
    const received = decodeCommandReply(encodeCommandReply(sent));
    if (received.kind !== "Failure") throw new Error(`a reply of ${received.kind}`);
    expect(errorOf(received)).toMatchObject({ code, message: error.message, attempt: "test", rule: "it must work" });
  });

  it("errorOf keeps code, message and directive over any number of hops, and names an unknown error a bug", () => {
    const first = new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: "save a as b",
      rule: "there must be room: always",
      value: "0 bytes; none",
      remedy: "free some; then resume",
    });
    const twice = errorOf(failureOf(errorOf(failureOf(first))));
    expect(twice).toMatchObject({ code: "KN_CHECKPOINT", message: first.message });
    const unknown = failureOf(new TypeError("oops"));
    expect(errorOf(unknown)).toMatchObject({ code: "KN_INVARIANT", value: "oops" });
    expect(directiveFor(errorOf(unknown))).toBe(unknown.directive);
  });

  it("calls an error that is not ours a bug, and restarts its actor", () => {
    expect(failureOf(new TypeError("oops"))).toEqual({
      kind: "Failure",
      code: "KN_INVARIANT",
      message: "oops",
      directive: "restart",
    });
    expect(failureOf("text")).toMatchObject({ message: "text" });
  });

  it("fits any message into what a receiver takes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 5000, size: "max" }), (message) => {
        const sent = failureOf(new Error(message));
        expect(decodeCommandReply(encodeCommandReply(sent))).toEqual(sent);
      }),
    );
  });

  it("does not leave half a character at the cut", () => {
    const sent = failureOf(new Error(`${"x".repeat(2047)}\u{1f600}`));
    expect(decodeCommandReply(encodeCommandReply(sent))).toEqual({ ...sent, message: `${"x".repeat(2047)}\ufffd` });
  });
});
