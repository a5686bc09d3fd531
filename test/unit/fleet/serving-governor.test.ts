/** Training that yields to inference on its machine, from the gateway's notice to the call of a compute worker. */
import { describe, expect, it } from "vitest";
import type { ComputeWorker } from "../../../src/compute/index.ts";
import { createServingGovernor, governed } from "../../../src/fleet/serving-governor.ts";
import { decodeServingPressure, encodeServingPressure, pressureSubject } from "../../../src/messages/index.ts";
import { createMemoryBroker } from "../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { samples, servingScene } from "../actors/serving/serving-scene.ts";

const PRESSURE = { model: "digits", queueMs: 40, targetMs: 10, hosts: ["a", "b"] };

function scene(host = "b") {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const gateway = broker.connect();
  const governor = createServingGovernor(host, { bus: broker.connect(), clock, log: silentLogger });
  const notice = async (data: Uint8Array = encodeServingPressure(PRESSURE)): Promise<void> => {
    gateway.publish(pressureSubject("digits"), data);
    await clock.advance(0);
  };
  /** Time until a turn, ms. */
  const turn = async (): Promise<number> => {
    const startMs = clock.now();
    let endMs: number | undefined;
    void governor.turn().then(() => {
      endMs = clock.now();
    });
    for (let passed = 0; endMs === undefined && passed < 2_000; passed += 1) await clock.advance(1);
    return (endMs ?? Infinity) - startMs;
  };
  return { clock, governor, notice, turn };
}

describe("ServingGovernor.turn", () => {
  it("comes at once while nothing waits, and for a machine that computes nothing", async () => {
    expect(await scene().turn()).toBeLessThanOrEqual(1);
    const elsewhere = scene("c");
    await elsewhere.notice();
    expect(await elsewhere.turn()).toBeLessThanOrEqual(1);
    expect(elsewhere.governor.yields).toBe(0);
  });

  it("comes when the notice has expired", async () => {
    const { notice, turn, governor } = scene();
    await notice();
    expect(await turn()).toBeGreaterThanOrEqual(100);
    expect(await turn()).toBeLessThanOrEqual(1);
    expect(governor.yields).toBe(1);
  });

  it("comes after a while although requests wait for good", async () => {
    const { clock, notice, governor } = scene();
    await notice();
    let isTurn = false;
    void governor.turn().then(() => {
      isTurn = true;
    });
    for (let passed = 0; passed < 300; passed += 50) {
      await notice();
      await clock.advance(50);
    }
    expect(isTurn).toBe(true);
  });

  it("ignores a notice that it cannot read, and every notice after its end", async () => {
    const { notice, turn, governor } = scene();
    await notice(Uint8Array.of(255, 255));
    expect(await turn()).toBeLessThanOrEqual(1);
    governor[Symbol.dispose]();
    await notice();
    expect(await turn()).toBeLessThanOrEqual(1);
  });
});

describe("governed", () => {
  it("lets a call of the worker wait for its turn, and passes the rest on", async () => {
    const calls: string[] = [];
    let isClosed = false;
    const worker = {
      backend: { name: "cpu" },
      closed: Promise.resolve(),
      call: (name: string) => {
        calls.push(name);
        return Promise.resolve({ result: name, computeMs: 1 });
      },
      close() {
        isClosed = true;
        return Promise.resolve();
      },
    } as unknown as ComputeWorker;
    let goOn: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const governor = { yields: 0, turn: () => turn, [Symbol.dispose]: () => undefined };
    const wrapped = await governed(() => Promise.resolve(worker), governor)({ backend: "cpu" });
    const called = wrapped.call("memory", {});
    await Promise.resolve();
    expect(calls).toEqual([]);
    goOn();
    expect(await called).toEqual({ result: "memory", computeMs: 1 });
    expect(wrapped.backend).toBe(worker.backend);
    await wrapped.close();
    expect(isClosed).toBe(true);
  });
});

describe("a gateway whose requests wait", () => {
  it("tells the machines of its replicas, a few times a second, and not while they do not wait", async () => {
    await using serving = await servingScene({ batchMs: 30 });
    const { gateway, clock, broker } = serving;
    await serving.release(1, gateway);
    const notices: ReturnType<typeof decodeServingPressure>[] = [];
    broker.connect().subscribe(pressureSubject("*"), ({ data }) => {
      notices.push(decodeServingPressure(data));
    });
    await serving.outcome(gateway.model.infer({ input: samples(1) }));
    expect(notices).toEqual([]);
    for (let sent = 0; sent < 40; sent += 1) {
      void gateway.model.infer({ input: samples(4) });
      await clock.advance(10);
    }
    await clock.advance(1_000);
    expect(notices.length).toBeGreaterThan(1);
    expect(notices.length).toBeLessThanOrEqual(1 + 1_400 / 50);
    for (const { model, queueMs, targetMs, hosts } of notices) {
      expect({ model, targetMs, hosts }).toEqual({ model: "digits", targetMs: 10, hosts: ["machine"] });
      expect(queueMs).toBeGreaterThan(10);
    }
  });
});
