import { describe, expect, it } from "vitest";
import { createFrameInbox } from "../../../../src/actors/link/index.ts";
import { encodeStageBatch, encodeStageResult, splitFrame, type Frame } from "../../../../src/messages/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";

const MAX_BYTES = 64 * 1024;
const values = Float32Array.from({ length: 1_000 }, (_, index) => index);
const result = encodeStageResult({
  batch: 1,
  release: 2,
  sender: "replica-0",
  computeUs: [5],
  nonFinite: [],
  outcome: { kind: "logits", logits: { dtype: "f32", shape: [100, 10], values } },
});
const batch = encodeStageBatch({
  batch: 1,
  release: 2,
  gateway: "gateway-0",
  route: [],
  remainingMs: 100,
  computeUs: [],
  nonFinite: [],
  tensor: { dtype: "f32", shape: [100, 10], values },
});

function inbox() {
  const taken: Frame[] = [];
  const box = createFrameInbox(
    { maxFrameBytes: MAX_BYTES, what: "result" },
    {
      log: silentLogger,
      onFrame(frame) {
        if (frame.kind !== "stageResult") return false;
        taken.push(frame);
        return true;
      },
    },
  );
  return {
    taken,
    box,
    receive: (...parts: Uint8Array[]) => {
      parts.forEach((data) => {
        box.receive({ data, subject: "s" });
      });
    },
  };
}

describe("createFrameInbox", () => {
  it("hands over a frame, whole or in chunks in any order", () => {
    const { taken, box, receive } = inbox();
    const chunks = splitFrame(result, 1_000);
    expect(chunks.length).toBeGreaterThan(3);
    receive(result, ...chunks.toReversed());
    expect(taken).toHaveLength(2);
    expect(taken[1]).toEqual(taken[0]);
    expect(box.undecodable).toBe(0);
  });

  it("counts and drops frames of another kind, whole or in chunks", () => {
    const { taken, box, receive } = inbox();
    receive(batch, ...splitFrame(batch, 1_000));
    expect(taken).toEqual([]);
    expect(box.undecodable).toBe(2);
  });

  it("counts what cannot be read and what is too large, and takes the next frame", () => {
    const { taken, box, receive } = inbox();
    receive(Uint8Array.of(255, 1, 2), new Uint8Array(MAX_BYTES + 1), result);
    expect(box.undecodable).toBe(2);
    expect(taken).toHaveLength(1);
  });
});
