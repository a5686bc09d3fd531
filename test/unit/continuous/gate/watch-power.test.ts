/**
 * How soon a fall after a promotion is found, and how often one that is not there, by simulation. The figures of
 * docs/adr/0022: KN_DECISIONS=1000 npx vitest run test/unit/continuous/gate/watch-power.test.ts
 */
import { describe, expect, it } from "vitest";
import { watchRollback, type WatchedWindow } from "../../../../src/continuous/index.ts";
import { randomFrom } from "../../../support/random.ts";

const PROMOTIONS = Number(process.env["KN_DECISIONS"] ?? 100);
const AGREEMENT = 0.88;
/** Uniform labels of a window; as many again at disagreements, where the previous release computes too. */
const LABELS = 20;

interface Fall {
  readonly points: number;
  /** Share of inputs where live and previous release differ. */
  readonly disagreement: number;
  readonly isPaired: boolean;
  readonly windows: number;
}

const draws = (random: () => number, count: number, share: number): number =>
  Array.from({ length: count }, random).filter((u) => u < share).length;

/** @returns windows until the rollback, Infinity without one */
function windowsUntilRollback(random: () => number, { points, disagreement, isPaired, windows }: Fall): number {
  const before = { labels: 100, right: draws(random, 100, AGREEMENT) };
  const seen: WatchedWindow[] = [];
  for (let window = 1; window <= windows; window += 1) {
    const live = draws(random, LABELS, (1 - points / 100 / disagreement) / 2);
    seen.push({
      window,
      uniform: { labels: LABELS, right: draws(random, LABELS, AGREEMENT - points / 100) },
      ...(isPaired ? { paired: { live, previous: LABELS - live } } : {}),
    });
    // E-values keep their peak, so a long stationary stream need not be asked after each window.
    if (windows > 20 && window % 20 !== 0) continue;
    if (watchRollback({ before, windows: seen }).verdict === "rollback") return window;
  }
  return Infinity;
}

function run(fall: Fall): { readonly median: number; readonly share: number; readonly inOne: number } {
  const random = randomFrom(Math.round(fall.points * 31 + fall.disagreement * 1000) + 5);
  const found = Array.from({ length: PROMOTIONS }, () => windowsUntilRollback(random, fall)).sort((a, b) => a - b);
  const within = (limit: number): number => found.filter((each) => each <= limit).length / PROMOTIONS;
  const figures = { median: found[PROMOTIONS >> 1] ?? Infinity, share: within(fall.windows), inOne: within(1) };
  if (process.env["KN_DECISIONS"] !== undefined) console.log(JSON.stringify({ ...fall, ...figures }));
  return figures;
}

describe("watchRollback", () => {
  it.each([true, false])("keeps a release for 200 stationary windows; previous release beside it: %s", (isPaired) => {
    const { share } = run({ points: 0, disagreement: 0.1, isPaired, windows: 200 });
    expect(share).toBeLessThanOrEqual(0.01 + 3 * Math.sqrt((0.01 * 0.99) / PROMOTIONS));
  });

  it.each([
    { points: 3, disagreement: 0.08, most: 6 },
    { points: 5, disagreement: 0.1, most: 4 },
    { points: 10, disagreement: 0.15, most: 3 },
    { points: 20, disagreement: 0.25, most: 2 },
    { points: 78, disagreement: 0.85, most: 1 },
  ])("finds a fall of $points points beside the previous release", ({ points, disagreement, most }) => {
    const { median, share } = run({ points, disagreement, isPaired: true, windows: 20 });
    expect(median).toBeLessThanOrEqual(most);
    expect(share).toBeGreaterThan(0.95);
  });

  it("finds a release at chance level by agreement alone, in a window", () => {
    expect(run({ points: 78, disagreement: 0.85, isPaired: false, windows: 20 }).inOne).toBeGreaterThan(0.95);
  });

  it.each([5, 20])("sees little of a fall of %d points by agreement alone", (points) => {
    expect(run({ points, disagreement: 0.25, isPaired: false, windows: 20 }).share).toBeLessThan(0.75);
  });
});
