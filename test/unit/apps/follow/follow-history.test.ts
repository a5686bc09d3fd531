import { describe, expect, it } from "vitest";
import type { FollowEvent, RecordedEvent } from "../../../../src/actors/learner/index.ts";
import { encodeFollowEvent } from "../../../../src/actors/learner/follow-events.ts";
import { drawLines } from "../../../../src/apps/follow/follow-chart.ts";
import {
  readHistory,
  replayWindow,
  summariseHistory,
  windowTable,
} from "../../../../src/apps/follow/follow-history.ts";
import { lineOfEvent } from "../../../../src/apps/follow/follow-lines.ts";
import { type Evidence, GATE_RULES, judge } from "../../../../src/continuous/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../../src/runtime/store/index.ts";

/** 40 disagreements among 1,000 inputs, of which the candidate has `right` right and live the others. */
function evidence(right: number): Evidence {
  const labels = Array.from({ length: 40 }, (_, index) => {
    const isGain = index < right;
    return { stratum: "disagreement" as const, label: 1, live: isGain ? 0 : 1, candidate: isGain ? 1 : 0 };
  });
  return {
    windows: [{ window: 1, inputs: 1_000, disagreements: 40, labels }],
    sets: [{ name: "window 0", classes: [{ inputs: 100, live: 99, candidate: 99 }], startShare: 0.99 }],
    nonFiniteOutputs: 0,
    latencyMs: { live: 1, candidate: 1 },
  };
}

const decided = (kind: "promotion" | "refusal", window: number, right: number): FollowEvent => ({
  ...{ kind, window, candidate: window, number: window + 1, bytes: 900, reason: "as judged" },
  decision: { evidence: evidence(right), rules: GATE_RULES, judgement: judge(evidence(right), GATE_RULES) },
});
const ended = (window: number, right: number): FollowEvent => ({
  ...{
    kind: "window",
    window,
    position: window,
    observations: 30,
    live: 1,
    confidence: 0.9,
    replay: 30,
    oracle: "big-1",
  },
  agreement: { right, labels: 10, low: 0.5, high: 1 },
  drift: window === 1 ? ["adwin"] : [],
});
const EVENTS: FollowEvent[] = [
  { kind: "anchor", window: 0, number: 1, bytes: 4_000 },
  ended(0, 10),
  decided("promotion", 1, 38),
  ended(1, 8),
  decided("refusal", 2, 2),
  { ...{ kind: "refusal", window: 2, candidate: 3, number: 4, bytes: 0 }, reason: "the oracle has changed" },
  ended(2, 9),
];
const HISTORY: RecordedEvent[] = EVENTS.map((event, sequence) => ({ sequence, atMs: 1_000 * sequence, event }));

describe("readHistory", () => {
  it("has what was recorded, in its order", async () => {
    const store = await memoryStore({ clock: simulatedClock() });
    const log = await store.log("follow.mine");
    for (const record of HISTORY) await log.append(encodeFollowEvent(record));
    expect(await readHistory(store, "mine")).toEqual(HISTORY);
    expect(await readHistory(store, "other")).toEqual([]);
  });

  it("refuses what is no such record", async () => {
    const store = await memoryStore({ clock: simulatedClock() });
    await (await store.log("follow.mine")).append(new TextEncoder().encode('{"format":2}'));
    await expect(readHistory(store, "mine")).rejects.toMatchObject({ code: "KN_DECODE" });
  });
});

describe("summariseHistory", () => {
  it("counts decisions, and what devices got", () => {
    expect(summariseHistory(HISTORY)).toMatchObject({
      ...{ windows: 3, observations: 90, promotions: 1, refusals: 2, rollbacks: 0, updates: 1, updateBytes: 900 },
      ...{ live: 2, liveSinceMs: 2_000, oracle: "big-1", agreement: { share: 0.9, labels: 10 } },
    });
  });

  it("has nothing to say before the first window", () => {
    expect(summariseHistory([])).toMatchObject({ windows: 0, agreement: null, live: null });
  });
});

describe("replayWindow", () => {
  it("judges again, and finds the same", () => {
    expect(replayWindow(HISTORY, 1)).toMatchObject([{ isSame: true, judgement: { verdict: "promote" } }]);
    expect(replayWindow(HISTORY, 2)).toMatchObject([
      { isSame: true, judgement: { verdict: "refuse" } },
      { isSame: true, judgement: null },
    ]);
    expect(replayWindow(HISTORY, 0)).toEqual([]);
  });

  it("notices a record whose evidence says otherwise", () => {
    const event = {
      ...decided("promotion", 1, 38),
      decision: { evidence: evidence(2), rules: GATE_RULES },
    } as FollowEvent;
    expect(replayWindow([{ sequence: 0, atMs: 0, event }], 1)).toMatchObject([{ isSame: false }]);
  });
});

describe("for a person", () => {
  it("each window has a row, with what was decided in it", () => {
    const { rows } = windowTable(HISTORY);
    expect(rows.map(([window]) => window)).toEqual(["0", "1", "2"]);
    expect(rows[1]?.join(" ")).toMatch(/1 promoted as 2 \(\+\d\.\d points\).*adwin/);
    expect(rows[2]?.join(" ")).toMatch(/2 refused \(-\d\.\d points\); 3 refused/);
  });

  it("each event has a line", () => {
    for (const event of EVENTS) expect(lineOfEvent(event)).toMatch(new RegExp(`^window ${event.window} \\| `));
  });

  it("a chart has each line within its frame, and names without markup", () => {
    const svg = drawLines("a < b & c", ["0", "1"], [{ name: "one", colour: "#000", values: [0.35, 1] }]);
    expect(svg).toContain("a &lt; b &amp; c");
    const [, points = ""] = /points="([^"]+)"/.exec(svg) ?? [];
    const ys = points.split(" ").map((point) => Number(point.split(",")[1]));
    expect(ys).toHaveLength(2);
    for (const y of ys) expect(y).toBeGreaterThanOrEqual(40);
    for (const y of ys) expect(y).toBeLessThanOrEqual(400 - 48);
    expect(ys[0]).toBeGreaterThan(ys[1] as number);
  });
});
