import { describe, expect, it } from "vitest";
import { createTurnBudget } from "../../../../src/apps/http/turn-budget.ts";

/** A loop whose turns are ended by the test; each request that is taken in costs `costMs`, one that is refused a fifth. */
function createLoop(goalMs = 100) {
  let nowMs = 0;
  let idleMs = 0;
  let end: (() => void) | undefined;
  const budget = createTurnBudget(
    { goalMs },
    {
      now: () => nowMs,
      idleMs: () => idleMs,
      afterTurn: (callback) => {
        end = callback;
      },
    },
  );
  const loop = {
    idle(ms: number) {
      nowMs += ms;
      idleMs += ms;
    },
    /** @returns how many of `count` requests were taken in */
    turn(count: number, costMs: number, clientOf: (index: number) => string = () => "one") {
      let taken = 0;
      for (let index = 0; index < count; index += 1) {
        const isTaken = budget.admits(clientOf(index));
        if (isTaken) taken += 1;
        nowMs += isTaken ? costMs : costMs / 5;
      }
      end?.();
      return taken;
    },
    saturate() {
      const untilMs = nowMs + 210;
      while (nowMs < untilMs) loop.turn(200, 0.125);
    },
    get nowMs() {
      return nowMs;
    },
  };
  return loop;
}

describe("createTurnBudget", () => {
  it("takes in a burst of some ten milliseconds whole", () => {
    const loop = createLoop();
    for (let round = 0; round < 10; round += 1) {
      expect(loop.turn(300, 0.125)).toBe(300);
      loop.idle(20);
    }
  });

  it("bounds even the first turn", () => {
    const loop = createLoop();
    expect(loop.turn(10_000, 0.125)).toBe(401); // 50 ms
  });

  it("takes in little of each turn where the loop was hardly idle", () => {
    const loop = createLoop();
    loop.saturate();
    for (let round = 0; round < 100; round += 1) {
      const beganMs = loop.nowMs;
      expect(loop.turn(100, 0.1)).toBe(32); // 3.2 ms
      expect(loop.nowMs - beganMs).toBeLessThan(6);
      loop.turn(2, 0.125); // a short turn among them
      loop.idle(0.3);
    }
  });

  it("takes in more where requests may take longer", () => {
    const loop = createLoop(1_000);
    loop.saturate();
    expect(loop.turn(1_000, 0.1)).toBe(320); // 32 ms
  });

  it("takes in the few requests of a thread that others hold up", () => {
    const loop = createLoop();
    loop.saturate();
    for (let round = 0; round < 20; round += 1) expect(loop.turn(20, 10)).toBe(20);
  });

  it("is generous again once the loop has been idle", () => {
    const loop = createLoop();
    loop.saturate();
    loop.idle(100);
    expect(loop.turn(200, 0.125)).toBe(200);
  });

  it("has a client with few requests go ahead of one with many, within bounds", () => {
    const loop = createLoop();
    loop.saturate();
    const clientOf = (index: number): string => (index % 33 === 32 ? "quiet" : "loud");
    expect(loop.turn(100, 0.1, clientOf)).toBe(32 + 3);
    const made = loop.turn(1_000, 0.1, (index) => `made up ${index}`);
    expect(made).toBeLessThanOrEqual(32 + 16);
  });
});
