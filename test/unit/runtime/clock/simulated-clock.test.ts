import { describe, expect, it } from "vitest";
import { createActor, setup } from "xstate";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

describe("SimulatedClock", () => {
  it("advance fires timers by due time, those due together in the order of setting", async () => {
    const clock = simulatedClock();
    const fired: string[] = [];
    for (const [name, delayMs] of [
      ["c", 30],
      ["a", 10],
      ["b1", 20],
      ["b2", 20],
      ["later", 31],
    ] as const) {
      clock.setTimeout(() => void fired.push(`${name}@${clock.now()}`), delayMs);
    }
    await clock.advance(30);
    expect(fired).toEqual(["a@10", "b1@20", "b2@20", "c@30"]);
    expect(clock.now()).toBe(30);
    expect(clock.pendingTimers).toBe(1);
  });

  it("advance fires timers that are set while it advances", async () => {
    const clock = simulatedClock();
    const fired: number[] = [];
    const tick = (): void => {
      fired.push(clock.now());
      clock.setTimeout(tick, 10);
    };
    clock.setTimeout(tick, 10);
    await clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
  });

  it("advance lets promises settle between timers", async () => {
    const clock = simulatedClock();
    const log: string[] = [];
    void (async () => {
      for (let i = 0; i < 3; i += 1) {
        await clock.sleep(10);
        await Promise.resolve();
        log.push(`slept ${clock.now()}`);
      }
    })();
    clock.setTimeout(() => void log.push(`timer ${clock.now()}`), 15);
    await clock.advance(100);
    expect(log).toEqual(["slept 10", "timer 15", "slept 20", "slept 30"]);
  });

  it("advanceSync fires timers before it returns", () => {
    const clock = simulatedClock();
    const fired: number[] = [];
    clock.setTimeout(() => {
      clock.setTimeout(() => void fired.push(clock.now()), 5);
    }, 5);
    clock.advanceSync(10);
    expect(fired).toEqual([10]);
  });

  it("clearTimeout keeps a timer from firing, also from within another one", async () => {
    const clock = simulatedClock();
    const fired: string[] = [];
    const later = clock.setTimeout(() => void fired.push("later"), 20);
    clock.setTimeout(() => {
      clock.clearTimeout(later);
    }, 10);
    await clock.advance(50);
    expect(fired).toEqual([]);
  });

  it("wallTimeMs moves with now, from where it was told to start", async () => {
    const clock = simulatedClock({ wallTimeMs: 1_000_000 });
    await clock.advance(500);
    expect([clock.now(), clock.wallTimeMs()]).toEqual([500, 1_000_500]);
  });

  it("sleep rejects with the signal's reason on abort and leaves no timer", async () => {
    const clock = simulatedClock();
    const reason = new Error("enough");
    const controller = new AbortController();
    const sleeping = clock.sleep(10, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(clock.sleep(10, controller.signal)).rejects.toBe(reason);
    expect(clock.pendingTimers).toBe(0);
  });

  it("advance rejects with what a timer throws, and refuses to go back", async () => {
    const clock = simulatedClock();
    clock.setTimeout(() => {
      throw new Error("from a timer");
    }, 10);
    await expect(clock.advance(10)).rejects.toThrow("from a timer");
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
  });

  it("drives the delays of an xstate machine", async () => {
    const clock = simulatedClock();
    const machine = setup({}).createMachine({
      initial: "red",
      states: { red: { after: { 1_000: "green" } }, green: {} },
    });
    const actor = createActor(machine, { clock }).start();
    await clock.advance(999);
    expect(actor.getSnapshot().value).toBe("red");
    await clock.advance(1);
    expect(actor.getSnapshot().value).toBe("green");
  });
});
