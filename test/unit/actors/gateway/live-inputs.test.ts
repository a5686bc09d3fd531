import { describe, expect, it } from "vitest";
import { createLiveInputSender } from "../../../../src/actors/gateway/live-inputs.ts";
import { decodeLiveInputs, type LiveInputs, observeSubject, type TensorView } from "../../../../src/messages/index.ts";
import { type Bus, createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { lossyBus } from "../../../support/lossy-bus.ts";

const CLASSES = 2;

/** u8 [n, bytes]; sample i is `from + i` everywhere. */
function answered(n: number, from = 0, bytes = 4): { readonly input: TensorView; readonly logits: TensorView } {
  const values = Uint8Array.from({ length: n * bytes }, (_, index) => from + Math.floor(index / bytes));
  const logits = Float32Array.from({ length: n * CLASSES }, (_, index) => from + Math.floor(index / CLASSES));
  return {
    input: { dtype: "u8", shape: [n, bytes], values },
    logits: { dtype: "f32", shape: [n, CLASSES], values: logits },
  };
}

function scene(parts: Partial<Bus> = {}) {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const { bus, disconnect, reconnect } = lossyBus(broker, { draw: () => 1 }, { clock });
  const sender = new Proxy(bus, {
    get: (target, key): unknown => Reflect.get({ ...parts }, key) ?? Reflect.get(target, key),
  });
  const messages: LiveInputs[] = [];
  const receiver = broker.connect({ clock });
  receiver.subscribe(observeSubject("digits"), ({ data }) => {
    messages.push(decodeLiveInputs(data.slice(), { maxBytes: 1 << 20 }));
  });
  return {
    clock,
    disconnect,
    reconnect,
    messages,
    sender: createLiveInputSender({ model: "digits", maxUnsentBytes: 2_000 }, { bus: sender, log: silentLogger }),
    /** First byte of each sample that arrived. */
    samples: () =>
      messages.flatMap(({ input }) => {
        const size = input.shape[1] ?? 1;
        return [...input.values].filter((_, index) => index % size === 0);
      }),
  };
}

describe("createLiveInputSender", () => {
  it("joins requests of a batch, and keeps each row with its logits", async () => {
    const { sender, messages, clock, samples } = scene();
    const bytes = {
      ...answered(1, 3),
      input: { dtype: "f32", shape: [1, 4], values: new Float32Array(4).fill(3) },
    } as const;
    sender.send(7, [answered(2), answered(1, 2), bytes]);
    await clock.advance(0);
    expect(messages.map(({ release, input: { dtype, shape } }) => [release, dtype, shape])).toEqual([
      [7, "u8", [3, 4]],
      [7, "f32", [1, 4]],
    ]);
    expect(samples()).toEqual([0, 1, 2, 3]);
    expect(messages.flatMap(({ logits }) => [...logits.values])).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    expect(sender.counts).toMatchObject({ sent: 4 });
  });

  it("keeps a candidate's release and logits with their rows, apart from inputs without", async () => {
    const { sender, messages, clock, samples } = scene();
    const copied = (n: number, from: number, candidateRelease = 8) => ({
      ...answered(n, from),
      candidateLogits: answered(n, from + 10).logits,
      candidateRelease,
    });
    sender.send(1, [copied(1, 0), copied(2, 1), answered(1, 3), copied(1, 4), copied(1, 5, 9)]);
    await clock.advance(0);
    expect(samples()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(
      messages.map(({ candidateRelease, candidateLogits }) => [candidateRelease, ...(candidateLogits?.values ?? [])]),
    ).toEqual([[8, 10, 10, 11, 11, 12, 12], [undefined], [8, 14, 14], [9, 15, 15]]);
  });

  it("divides what one message does not hold, and leaves out samples that none holds", async () => {
    const { sender, messages, clock, samples } = scene({ maxPayloadBytes: 500 });
    sender.send(1, [answered(5, 0, 100)]);
    sender.send(1, [answered(2, 0, 600)]);
    await clock.advance(0);
    expect(samples()).toEqual([0, 1, 2, 3, 4]);
    expect(messages.length).toBeGreaterThan(1);
    expect(sender.counts).toMatchObject({ sent: 5, tooLarge: 2 });
  });

  it("leaves out what comes while the connection is lost", async () => {
    const { sender, disconnect, reconnect, clock, samples } = scene();
    disconnect();
    sender.send(1, [answered(2)]);
    reconnect();
    sender.send(1, [answered(1, 9)]);
    await clock.advance(0);
    expect(samples()).toEqual([9]);
    expect(sender.counts).toMatchObject({ sent: 1, disconnected: 2 });
  });

  it("leaves out what comes while too much is on its way", async () => {
    let settle: () => void = () => undefined;
    const flush = () =>
      new Promise<void>((resolve) => {
        settle = resolve;
      });
    const { sender, clock } = scene({ flush });
    for (let time = 0; time < 5; time += 1) sender.send(1, [answered(1, 0, 800)]);
    expect(sender.counts).toMatchObject({ sent: 2, unsent: 3 });
    settle();
    await clock.advance(0);
    settle();
    await clock.advance(0);
    sender.send(1, [answered(1, 0, 800)]);
    expect(sender.counts).toMatchObject({ sent: 3, unsent: 3 });
  });

  it("counts what fails, and throws nothing", () => {
    const { sender } = scene({
      publish() {
        throw new Error("it broke");
      },
    });
    sender.send(1, [answered(3)]);
    sender.send(1, [{ ...answered(1), input: { dtype: "f32", shape: [1, 1], values: Float32Array.of(Number.NaN) } }]);
    expect(sender.counts).toMatchObject({ sent: 0, failed: 4 });
  });
});
