import { describe, expect, it } from "vitest";
import { createMemoryBroker, memoryBus } from "../../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const NOTHING = new Uint8Array(0);

describe("MemoryBroker", () => {
  it("gives timers and I/O their turn while actors answer each other without end", async () => {
    await using bus = memoryBus();
    let rounds = 0;
    bus.subscribe("ping", () => {
      rounds += 1;
      bus.publish("pong", NOTHING);
    });
    const pong = bus.subscribe("pong", () => {
      bus.publish("ping", NOTHING);
    });
    bus.publish("ping", NOTHING);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    pong.unsubscribe();
    expect(rounds).toBeGreaterThan(100);
  });

  it("keeps the order when it yields in the middle", async () => {
    await using bus = memoryBus();
    const seen: number[] = [];
    bus.subscribe("n", ({ data }) => void seen.push(new DataView(data.buffer).getUint32(0)));
    const sent = Array.from({ length: 5_000 }, (_, i) => i);
    for (const i of sent) {
      const data = new Uint8Array(4);
      new DataView(data.buffer).setUint32(0, i);
      bus.publish("n", data);
    }
    await bus.flush();
    expect(seen).toEqual(sent);
  });

  it("never calls a handler inside another one, however long the chain", async () => {
    await using bus = memoryBus();
    let depth = 0;
    let deepest = 0;
    let left = 20_000;
    bus.subscribe("a", () => {
      depth += 1;
      deepest = Math.max(deepest, depth);
      left -= 1;
      if (left > 0) bus.publish("a", NOTHING);
      depth -= 1;
    });
    bus.publish("a", NOTHING);
    while (left > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(deepest).toBe(1);
  });

  it("lets the members of a queue group take turns", async () => {
    await using bus = memoryBus();
    const counts = [0, 0, 0];
    for (const [i] of counts.entries())
      bus.subscribe(
        "job",
        () => {
          counts[i] = (counts[i] ?? 0) + 1;
        },
        { queue: "workers" },
      );
    for (let i = 0; i < 30; i += 1) bus.publish("job", NOTHING);
    await bus.flush();
    expect(counts).toEqual([10, 10, 10]);
  });

  it("loses what is published while it is interrupted", async () => {
    const broker = createMemoryBroker();
    await using bus = broker.connect();
    const subscription = bus.subscribe("a", () => undefined);
    broker.interrupt();
    bus.publish("a", NOTHING);
    broker.restore();
    await bus.flush();
    expect(subscription.received).toBe(0);
  });
});

describe("Bus on a simulated clock", () => {
  it("request gives up exactly when its time is over", async () => {
    const clock = simulatedClock();
    await using bus = memoryBus({ clock });
    bus.subscribe("silent", () => undefined);
    let outcome: unknown;
    bus.request("silent", NOTHING, { timeoutMs: 1_000 }).catch((error: unknown) => {
      outcome = error;
    });
    await clock.advance(999);
    expect(outcome).toBeUndefined();
    await clock.advance(1);
    expect(outcome).toMatchObject({ code: "KN_UNAVAILABLE" });
  });

  it("request leaves no timer behind once it is answered", async () => {
    const clock = simulatedClock();
    await using bus = memoryBus({ clock });
    bus.subscribe("echo", (message) => void message.respond(message.data));
    await bus.request("echo", NOTHING);
    expect(clock.pendingTimers).toBe(0);
  });

  it("drain waits for handlers, but not longer than its grace", async () => {
    const clock = simulatedClock();
    await using bus = memoryBus({ clock });
    bus.subscribe("a", () => new Promise<void>(() => undefined));
    bus.publish("a", NOTHING);
    let isDrained = false;
    const draining = bus.drain().then(() => {
      isDrained = true;
    });
    await clock.advance(4_999);
    expect(isDrained).toBe(false);
    await clock.advance(1);
    await draining;
    expect(clock.pendingTimers).toBe(0);
  });

  it("service measures the time of its handlers by the clock", async () => {
    const clock = simulatedClock();
    await using bus = memoryBus({ clock });
    const handler = async (): Promise<void> => {
      await clock.sleep(250);
    };
    await bus.service({
      name: "slow",
      version: "1.0.0",
      description: "",
      metadata: {},
      endpoints: [{ name: "work", subject: "work", handler }],
      stats: () => ({}),
    });
    bus.publish("work", NOTHING);
    await clock.advance(250);
    const answer = await bus.request("$SRV.STATS.slow", NOTHING);
    const stats = JSON.parse(new TextDecoder().decode(answer.data)) as { started: string; endpoints: unknown[] };
    expect(stats.started).toBe("2000-01-01T00:00:00.000Z");
    expect(stats.endpoints).toMatchObject([
      { num_requests: 1, processing_time: 250_000_000, average_processing_time: 250_000_000 },
    ]);
  });
});
