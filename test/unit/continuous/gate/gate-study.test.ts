/** What the gate promises, on simulated decisions with known truth; figures of more of them are in docs/adr/0022. */
import { describe, expect, it } from "vitest";
import { watchRollback, type WatchedWindow } from "../../../../src/continuous/index.ts";
import { randomFrom } from "../../../support/random.ts";
import { decide, type Truth } from "../../../support/gate-scene.ts";

/** 3 points better, on streams where a candidate and the live release differ on 4 to 7 % of the inputs. */
const IMPROVEMENTS: readonly Truth[] = [0.04, 0.05, 0.06, 0.07].flatMap((disagreement) => [
  { effect: 0.03, disagreement, neither: 0 },
  { effect: 0.03, disagreement, neither: 0.15 },
]);
/** Not better: equal, or worse. */
const OTHERS: readonly Truth[] = [0.02, 0.05, 0.1, 0.2].flatMap((disagreement) => [
  { effect: 0, disagreement, neither: 0.1 },
  { effect: -0.01, disagreement, neither: 0 },
]);

describe("judge", () => {
  it("decides 200 replayed decisions: <= 1 % false promotions, <= 10 % missed of 3 points, <= 100 labels", () => {
    const random = randomFrom(20261127);
    const ask = (truths: readonly Truth[]): ReturnType<typeof decide>[] =>
      Array.from({ length: 100 }, (_, i) => decide(truths[i % truths.length] as Truth, { random }));
    const better = ask(IMPROVEMENTS);
    const others = ask(OTHERS);
    expect(others.filter(({ verdict }) => verdict === "promote").length).toBeLessThanOrEqual(2);
    expect(better.filter(({ verdict }) => verdict === "refuse").length).toBeLessThanOrEqual(10);
    expect(Math.max(...[...better, ...others].map(({ labels }) => labels))).toBeLessThanOrEqual(100);
  });

  it.each<[string, Truth]>([
    ["a constant answer", { effect: -0.78, disagreement: 0.9, neither: 0.1 }],
    ["two swapped classes, 3 points better otherwise", { effect: -0.15, disagreement: 0.26, neither: 0.1 }],
    ["flipped labels", { effect: -0.3, disagreement: 0.4, neither: 0.2 }],
    ["other preprocessing", { effect: -0.2, disagreement: 0.3, neither: 0.25 }],
    ["a stale release", { effect: -0.05, disagreement: 0.1, neither: 0.15 }],
    ["scaled weights, which leave every answer", { effect: 0, disagreement: 0.0005, neither: 0 }],
  ])("refuses %s, 100 of 100 times, before the budget is spent on average", (_, truth) => {
    const random = randomFrom(5);
    const decisions = Array.from({ length: 100 }, () => decide(truth, { random }));
    expect(decisions.filter(({ verdict }) => verdict === "promote")).toEqual([]);
    expect(decisions.reduce((sum, { labels }) => sum + labels, 0) / 100).toBeLessThan(60);
  });

  it("has an interval that covers the true effect 95 times in 100", () => {
    const random = randomFrom(77);
    const truth: Truth = { effect: 0, disagreement: 0.1, neither: 0.2 };
    const covered = Array.from({ length: 300 }, () => decide(truth, { random, chunk: 90 }).effect).filter(
      (effect) => effect !== undefined && effect.low <= 0 && effect.high >= 0,
    );
    expect(covered.length / 300).toBeGreaterThanOrEqual(0.93);
  });
});

/** A window of 20 uniform labels, and 20 at disagreements. @param liveShare of discordant pairs that the live one has right */
function windowOf(random: () => number, window: number, agreement: number, liveShare: number): WatchedWindow {
  const count = (n: number, share: number): number => Array.from({ length: n }, random).filter((u) => u < share).length;
  const live = count(20, liveShare);
  return { window, uniform: { labels: 20, right: count(20, agreement) }, paired: { live, previous: 20 - live } };
}

describe("watchRollback", () => {
  const before = { labels: 100, right: 88 };

  it("rolls back at most once in 200 stationary windows, promotions every ten", () => {
    const random = randomFrom(31);
    const rollbacks = Array.from({ length: 20 }, () => {
      const right = Array.from({ length: 100 }, random).filter((u) => u < 0.88).length;
      const windows = Array.from({ length: 10 }, (_, i) => windowOf(random, i, 0.88, 0.5));
      return windows.findIndex(
        (_, i) =>
          watchRollback({ before: { labels: 100, right }, windows: windows.slice(0, i + 1) }).verdict === "rollback",
      );
    }).filter((window) => window >= 0);
    expect(rollbacks.length).toBeLessThanOrEqual(1);
  });

  it("rolls back a release that answers as if by chance within one window", () => {
    const random = randomFrom(32);
    const late = Array.from({ length: 200 }, () =>
      watchRollback({ before, windows: [windowOf(random, 0, 0.1, 0.05)] }),
    ).filter(({ verdict }) => verdict === "keep");
    expect(late).toEqual([]);
  });

  it("keeps a release that is better than the previous one while the world turns against both", () => {
    const random = randomFrom(33);
    const windows = Array.from({ length: 10 }, (_, i) => windowOf(random, i, 0.5, 0.8));
    const { verdict, agreement } = watchRollback({ before, windows });
    expect(agreement?.wealth).toBeGreaterThan(agreement?.limit ?? Infinity);
    expect(verdict).toBe("keep");
  });
});
