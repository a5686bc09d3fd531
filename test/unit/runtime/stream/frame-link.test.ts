/** Frame sender and receiver: what they do with a frame that cannot be delivered. */
import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { encodeActivation, encodeGradient, splitFrame, type TensorView } from "../../../../src/messages/index.ts";
import type { Bus } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import {
  createDropCounters,
  createFrameReceiver,
  createFrameSender,
  createOutbox,
  MAX_REFUSALS,
  RETRANSMIT_AFTER_MS,
} from "../../../../src/runtime/stream/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";

const SUBJECT = "kn.v1.test.act.0";

function frameOf(sequence: number, elements = 100, run = "test"): Uint8Array {
  const header = { run, sender: "block-0", sequence, step: sequence, version: 0, fence: 1 };
  return encodeActivation(
    {
      header,
      phase: "train",
      evaluation: 0,
      tensor: { dtype: "f32", shape: [1, elements], values: new Float32Array(elements) },
      labels: { dtype: "i32", shape: [1], values: Int32Array.of(0) },
    },
    "raw",
  );
}

function sending({ maxFrameBytes = 10_000, maxPayloadBytes = 1_000 } = {}) {
  const clock = simulatedClock();
  const published: Uint8Array[] = [];
  const failures: Error[] = [];
  const bus = {
    maxPayloadBytes,
    publish: (_: string, data: Uint8Array) => {
      published.push(data);
    },
  };
  const send = createFrameSender(
    { maxFrameBytes },
    { bus: bus as unknown as Bus, clock, log: silentLogger, fail: (error) => failures.push(error) },
  );
  return { clock, bus, send, published, failures };
}

describe("createFrameSender", () => {
  it("fails at once with KN_CONFIG on a frame above the limit of the plan, and sends nothing of it", () => {
    const { send, published, failures } = sending({ maxFrameBytes: 400 });
    send(SUBJECT, frameOf(1, 1_000));
    expect(failures).toEqual([expect.objectContaining({ code: "KN_CONFIG" })]);
    expect(failures[0]?.message).toMatch(/kn\.v1\.test\.act\.0.*at most 400 bytes.*flow\.maxFrameMiB/);
    expect(published).toEqual([]);
  });

  it("sends a frame of exactly the limit", () => {
    const frame = frameOf(1);
    const { send, published, failures } = sending({ maxFrameBytes: frame.byteLength });
    send(SUBJECT, frame);
    expect(published).toEqual([frame]);
    expect(failures).toEqual([]);
  });

  it("fails with the cause when max_payload leaves no way to send a frame, after some retransmissions", async () => {
    const { clock, bus, send, published, failures } = sending();
    const outbox = createOutbox({ retransmitAfterMs: RETRANSMIT_AFTER_MS }, { clock, send });
    bus.maxPayloadBytes = 64; // lowered below the header of a chunk while the run goes on
    for (const sequence of [1, 2]) outbox.post({ sequence, step: sequence }, SUBJECT, frameOf(sequence));
    await clock.advance((1 + 2) * RETRANSMIT_AFTER_MS);
    expect(failures).toEqual([]);
    await clock.advance(4 * RETRANSMIT_AFTER_MS);
    expect(failures[0]).toMatchObject({ code: "KN_CONFIG" });
    expect(failures[0]?.message).toMatch(/messages of at most 64 bytes/);
    expect(published).toEqual([]);
    outbox.close();
  });

  it("goes on when max_payload is raised again, and counts from the beginning", async () => {
    const { clock, bus, send, published, failures } = sending();
    const frame = frameOf(1, 400);
    const attempt = async (maxPayloadBytes: number): Promise<void> => {
      bus.maxPayloadBytes = maxPayloadBytes;
      send(SUBJECT, frame);
      await clock.advance(RETRANSMIT_AFTER_MS);
    };
    for (let attempts = 1; attempts < MAX_REFUSALS; attempts += 1) await attempt(64);
    await attempt(1_000);
    expect(published.length).toBeGreaterThan(1);
    for (let attempts = 1; attempts < MAX_REFUSALS; attempts += 1) await attempt(64);
    expect(failures).toEqual([]);
  });

  it("waits for a bus that is disconnected, however long", async () => {
    const { clock, bus, send, failures } = sending();
    bus.publish = () => {
      throw new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "publish", rule: "the bus must be open" });
    };
    for (let attempts = 0; attempts < 3 * MAX_REFUSALS; attempts += 1) {
      send(SUBJECT, frameOf(1));
      await clock.advance(RETRANSMIT_AFTER_MS);
    }
    expect(failures).toEqual([]);
  });
});

function receiving({ maxFrameBytes = 10_000 } = {}) {
  const clock = simulatedClock();
  const drops = createDropCounters();
  const failures: Error[] = [];
  const accepted: number[] = [];
  const tensors: TensorView[] = [];
  const handle = createFrameReceiver(
    { run: "test", fence: 1, maxFrameBytes },
    {
      clock,
      drops,
      log: silentLogger,
      fail: (error) => failures.push(error),
      onActivation({ header, tensor }) {
        tensors.push(tensor);
        if (accepted.includes(header.sequence)) return false;
        accepted.push(header.sequence);
        return true;
      },
    },
  );
  const receive = (...messages: readonly Uint8Array[]): void => {
    for (const data of messages) void handle({ data, subject: SUBJECT, reply: undefined, respond: () => false });
  };
  return { clock, drops, failures, accepted, tensors, receive };
}

describe("createFrameReceiver", () => {
  it("fails with the cause when a sender retransmits a frame above the limit", async () => {
    const { clock, drops, failures, receive } = receiving({ maxFrameBytes: 1_000 });
    const parts = splitFrame(frameOf(1, 1_000), 500);
    for (let transmission = 1; transmission <= MAX_REFUSALS; transmission += 1) {
      expect(failures).toEqual([]);
      receive(...parts);
      await clock.advance(RETRANSMIT_AFTER_MS);
    }
    expect(failures[0]).toMatchObject({ code: "KN_CONFIG", cause: { code: "KN_DECODE" } });
    expect(failures[0]?.message).toMatch(/kn\.v1\.test\.act\.0.*a frame must have at most 1000 bytes/);
    expect(drops.snapshot()).toEqual({ undecodable: MAX_REFUSALS * parts.length });
  });

  it("fails when a frame that does not decode is retransmitted, though the frames after it decode", async () => {
    const { clock, failures, accepted, receive } = receiving();
    const broken = frameOf(1);
    broken.fill(0xff, broken.length - 4); // NaN in the tensor
    for (let transmission = 1; transmission <= MAX_REFUSALS + 1; transmission += 1) {
      receive(broken, frameOf(2), frameOf(3));
      await clock.advance(RETRANSMIT_AFTER_MS);
    }
    expect(accepted).toEqual([2, 3]);
    expect(failures[0]?.message).toMatch(/every value must be finite/);
  });

  it("accepts a frame of exactly the limit, and refuses an unchunked one above it", () => {
    const frame = frameOf(1);
    for (const [maxFrameBytes, expected] of [
      [frame.byteLength, [1]],
      [frame.byteLength - 1, []],
    ] as const) {
      const { accepted, receive } = receiving({ maxFrameBytes });
      receive(frame);
      expect(accepted).toEqual(expected);
    }
  });

  it("accepts nothing of another run", () => {
    const { drops, accepted, receive } = receiving();
    receive(frameOf(1, 100, "other"));
    expect(accepted).toEqual([]);
    expect(drops.snapshot()).toEqual({ unexpected: 1 });
  });

  it("delivers tensors that stay valid when the message's buffer is reused", () => {
    const { tensors, receive } = receiving();
    const frame = frameOf(1);
    receive(frame);
    frame.fill(0xff);
    expect([...(tensors[0]?.values ?? [])]).toEqual(Array.from({ length: 100 }, () => 0));
  });

  it("ignores what a foreign publisher sends, while the stream advances", async () => {
    const { clock, drops, failures, receive } = receiving();
    const foreign = new TextEncoder().encode("hello");
    for (let sequence = 1; sequence <= 3 * MAX_REFUSALS; sequence += 1) {
      receive(foreign, foreign, frameOf(sequence));
      await clock.advance(RETRANSMIT_AFTER_MS);
    }
    expect(failures).toEqual([]);
    expect(drops.snapshot()).toEqual({ undecodable: 6 * MAX_REFUSALS });
  });

  it("ignores a burst of equal messages of a foreign publisher, also while the stream waits", () => {
    const { failures, receive } = receiving();
    receive(...Array.from({ length: 100 }, () => Uint8Array.of(1, 2, 3)));
    expect(failures).toEqual([]);
  });

  it("counts a frame of another run, an earlier incarnation or an unexpected kind, and does not fail", () => {
    const { drops, failures, receive } = receiving();
    const header = { run: "test", sender: "block-1", sequence: 1, step: 1, version: 0, fence: 2 };
    const tensor = { dtype: "f32", shape: [1], values: Float32Array.of(1) } as const;
    const gradient = (changes: Partial<typeof header>): Uint8Array =>
      encodeGradient({ header: { ...header, ...changes }, origin: "true", tensor }, "raw");
    receive(gradient({ run: "other" }), gradient({}), gradient({ fence: 1 }));
    expect(drops.snapshot()).toEqual({ unexpected: 2, fenced: 1 });
    expect(failures).toEqual([]);
  });
});
