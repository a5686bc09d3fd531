/** Messages of inference: what is sent is what is received, and what a receiver must refuse is refused. */
import { describe, expect, it } from "vitest";
import {
  decodeFrame,
  decodeInferReply,
  decodeInferRequest,
  encodeInferReply,
  encodeInferRequest,
  encodeStageBatch,
  encodeStageResult,
  type StageBatch,
} from "../../../src/messages/index.ts";
import { wire } from "../../../src/messages/generated/knowledgenet.ts";
import { floats, inferReplies, inferRequest, stageBatch, stageResults } from "./samples.ts";

const LIMITS = { maxBytes: 1 << 20 };

describe("a batch of inference", () => {
  it("arrives as it was sent", () => {
    expect(decodeFrame(encodeStageBatch(stageBatch))).toEqual({ kind: "stageBatch", batch: stageBatch });
  });

  it("takes bytes at the network's input", () => {
    const batch: StageBatch = { ...stageBatch, nonFinite: [], tensor: inferRequest.input };
    expect(decodeFrame(encodeStageBatch(batch))).toEqual({ kind: "stageBatch", batch });
  });

  it.each([[[]], [[floats([4, 2, 2])]]])("says that activations are wanted, and brings those so far", (activations) => {
    const batch = { ...stageBatch, activations };
    expect(decodeFrame(encodeStageBatch(batch))).toEqual({ kind: "stageBatch", batch });
  });

  it("has no remaining time below zero, and no fraction", () => {
    for (const [sent, received] of [
      [-5, 0],
      [12.9, 12],
    ] as const) {
      expect(decodeFrame(encodeStageBatch({ ...stageBatch, remainingMs: sent }))).toMatchObject({
        batch: { remainingMs: received },
      });
    }
  });

  it.each([
    ["a release of 0", { release: 0 }, /releases must count from 1/],
    ["a sample outside the batch", { nonFinite: [4] }, /one of the 4/],
    ["an actor that is no token", { route: ["a.b"] }, /route must be/],
    ["a batch without samples' axes", { tensor: floats([4]) }, /\[n, \.\.\.\]/],
    ["more samples than a batch may have", { tensor: floats([257, 2]), nonFinite: [] }, /at most 256/],
    ["an activation of other samples", { activations: [floats([3, 2])] }, /f32 \[4, \.\.\.\]/],
    ["an activation without axes", { activations: [floats([4])] }, /f32 \[4, \.\.\.\]/],
    ["a long route", { route: Array.from({ length: 65 }, () => "replica-1") }, /at most 64/],
  ])("is refused with %s", (_what, change, message) => {
    expect(() => decodeFrame(encodeStageBatch({ ...stageBatch, ...change }))).toThrow(message);
  });
});

describe("the result of a batch", () => {
  it.each(stageResults.map((result) => [result.outcome.kind, result] as const))(
    "%s arrives as it was sent",
    (_k, result) => {
      expect(decodeFrame(encodeStageResult(result))).toEqual({ kind: "stageResult", result });
    },
  );
});

describe("a request for inference", () => {
  it("arrives as it was sent", () => {
    expect(decodeInferRequest(encodeInferRequest(inferRequest), LIMITS)).toEqual(inferRequest);
  });

  it("says whether observers get its input", () => {
    expect(decodeInferRequest(encodeInferRequest({ ...inferRequest, observe: true }), LIMITS).observe).toBe(true);
    expect(decodeInferRequest(encodeInferRequest({ ...inferRequest, observe: false }), LIMITS)).toEqual(inferRequest);
  });

  it("is interactive when it has no priority", () => {
    const fields = wire.InferRequest.decode(encodeInferRequest({ ...inferRequest, priority: "bulk" }));
    const without = wire.InferRequest.encode({ ...fields, priority: null }).finish();
    expect(decodeInferRequest(without, LIMITS).priority).toBe("interactive");
  });

  it("is refused above the limit of bytes, and with integers", () => {
    expect(() => decodeInferRequest(encodeInferRequest(inferRequest), { maxBytes: 10 })).toThrow(/at most 10 bytes/);
    const input = { dtype: "i32", shape: [1, 2], values: Int32Array.of(1, 2) } as const;
    expect(() => decodeInferRequest(encodeInferRequest({ ...inferRequest, input }), LIMITS)).toThrow(/f32 or u8/);
  });

  it("is refused with a value that is not finite", () => {
    const input = { dtype: "f32", shape: [1, 2], values: Float32Array.of(1, Number.NaN) } as const;
    expect(() => encodeInferRequest({ ...inferRequest, input })).toThrow(/KN_NUMERIC/);
  });
});

describe("an answer of inference", () => {
  it.each(inferReplies.map((reply) => [reply.outcome.kind, reply] as const))(
    "%s arrives as it was sent",
    (_k, reply) => {
      expect(decodeInferReply(encodeInferReply(reply), LIMITS)).toEqual(reply);
    },
  );
});
