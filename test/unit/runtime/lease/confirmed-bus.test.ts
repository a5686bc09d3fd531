import { describe, expect, it } from "vitest";
import { confirmedBus } from "../../../../src/runtime/lease/confirmed-bus.ts";
import { createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function scene() {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const other = broker.connect({ clock });
  const state = { isConfirmed: true };
  const bus = confirmedBus(broker.connect({ clock }), () => state.isConfirmed);
  const heard: string[] = [];
  other.subscribe("facts", ({ data }) => {
    heard.push(new TextDecoder().decode(data));
  });
  other.subscribe("echo", ({ reply, data }) => {
    if (reply !== undefined) other.publish(reply, data);
  });
  const settle = (): Promise<void> => clock.advance(0);
  await settle();
  return { clock, other, state, bus, heard, settle };
}

describe("confirmedBus", () => {
  it("publishes nothing and requests nothing while the lease is unconfirmed, and receives all the same", async () => {
    const { other, state, bus, heard, settle } = await scene();
    const received: string[] = [];
    bus.subscribe("commands", ({ data }) => {
      received.push(new TextDecoder().decode(data));
    });
    bus.publish("facts", bytes("1"));
    state.isConfirmed = false;
    bus.publish("facts", bytes("2"));
    other.publish("commands", bytes("stop"));
    await expect(bus.request("echo", bytes("x"))).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    await settle();
    expect(heard).toEqual(["1"]);
    expect(received).toEqual(["stop"]);
    state.isConfirmed = true;
    bus.publish("facts", bytes("3"));
    await settle();
    expect(heard).toEqual(["1", "3"]);
  });

  it("tells those that wait for a reconnect once the lease is confirmed again, and none that has unsubscribed", async () => {
    const { state, bus } = await scene();
    const told: string[] = [];
    bus.on("reconnected", () => told.push("a"));
    const forget = bus.on("reconnected", () => told.push("b"));
    state.isConfirmed = false;
    bus.resume();
    expect(told).toEqual([]);
    state.isConfirmed = true;
    bus.resume();
    expect(told).toEqual(["a", "b"]);
    forget();
    bus.resume();
    expect(told).toEqual(["a", "b", "a"]);
  });

  it("answers no request to a service while the lease is unconfirmed", async () => {
    const { clock, other, state, bus, settle } = await scene();
    let calls = 0;
    await bus.service({
      name: "kn-test",
      version: "1.0.0",
      description: "test",
      metadata: {},
      endpoints: [
        {
          name: "act",
          subject: "act",
          handler: ({ reply }) => {
            calls += 1;
            if (reply !== undefined) bus.publish(reply, bytes("done"));
          },
        },
      ],
      stats: () => ({}),
    });
    await settle();
    state.isConfirmed = false;
    const refused = other.request("act", bytes(""), { timeoutMs: 100 });
    refused.catch(() => undefined);
    await clock.advance(200);
    await expect(refused).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(calls).toBe(0);
    state.isConfirmed = true;
    const answered = other.request("act", bytes(""), { timeoutMs: 100 });
    await settle();
    expect(new TextDecoder().decode((await answered).data)).toBe("done");
    expect(calls).toBe(1);
  });
});
