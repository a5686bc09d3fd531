import { describe, expect, it } from "vitest";
import {
  type Evidence,
  GATE_RULES,
  judge,
  type LabelledPair,
  labelsLeft,
  pairedEffect,
  type RuleName,
  type WindowEvidence,
} from "../../../../src/continuous/index.ts";
import { GOOD } from "../../../support/gate-scene.ts";

const gain: LabelledPair = { stratum: "disagreement", label: 0, live: 1, candidate: 0 };
const loss: LabelledPair = { stratum: "disagreement", label: 0, live: 0, candidate: 1 };
const neither: LabelledPair = { stratum: "disagreement", label: 0, live: 1, candidate: 2 };
const times = (count: number, pair: LabelledPair): readonly LabelledPair[] => Array.from({ length: count }, () => pair);

function windowOf(labels: readonly LabelledPair[], changes: Partial<WindowEvidence> = {}): WindowEvidence {
  return { window: 7, inputs: 2000, disagreements: 160, labels, ...changes };
}

function evidenceOf(labels: readonly LabelledPair[], changes: Partial<Evidence> = {}): Evidence {
  return { windows: [windowOf(labels)], ...GOOD, ...changes };
}

function broken(evidence: Evidence): readonly RuleName[] {
  const { reasons } = judge(evidence);
  return reasons.filter(({ state }) => state === "broken").map(({ rule }) => rule);
}

const GAINS = times(40, gain);

describe("judge", () => {
  it("promotes what is clearly better, with its numbers", () => {
    const judgement = judge(evidenceOf([...GAINS, ...times(5, loss)]));
    expect(judgement.verdict).toBe("promote");
    expect(judgement.labels).toBe(45);
    expect(judgement.mcNemar).toMatchObject({ gains: 40, losses: 5 });
    expect(judgement.effect?.effect).toBeCloseTo((0.08 * 35) / 45, 12);
    expect(judgement.reasons.map(({ rule }) => rule)).toContain("minimum effect");
  });

  it("gives the same verdict for what was stored as text", () => {
    const evidence = evidenceOf([...times(20, gain), ...times(10, loss), neither]);
    expect(judge(JSON.parse(JSON.stringify(evidence)) as Evidence)).toEqual(judge(evidence));
  });

  it("goes on while labels and windows are left", () => {
    expect(judge(evidenceOf(times(5, gain))).verdict).toBe("continue");
    expect(judge(evidenceOf([])).verdict).toBe("continue");
  });

  it.each<[string, Partial<Evidence>, RuleName]>([
    ["outputs that are not finite", { nonFiniteOutputs: 3 }, "finite outputs"],
    ["a slow candidate", { latencyMs: { live: 2, candidate: 2.5 } }, "latency"],
    [
      "a candidate that forgets window 0",
      { sets: [{ name: "window 0", startShare: 0.9, classes: [{ inputs: 500, live: 450, candidate: 439 }] }] },
      "forgetting",
    ],
    [
      "a class that falls below the floor",
      {
        sets: [
          {
            name: "window 0",
            startShare: 0.55,
            classes: [
              { inputs: 200, live: 120, candidate: 60 },
              { inputs: 200, live: 120, candidate: 180 },
            ],
          },
        ],
      },
      "recall",
    ],
  ])("refuses %s, however much better it is", (_, changes, rule) => {
    expect(judge(evidenceOf(GAINS)).verdict).toBe("promote");
    expect(judge(evidenceOf(GAINS, changes)).verdict).toBe("refuse");
    expect(broken(evidenceOf(GAINS, changes))).toContain(rule);
  });

  it("refuses a candidate that pays for all classes with one of the stream", () => {
    const labels = [...GAINS, ...times(14, { ...loss, label: 3, live: 3 })];
    const agreed = [200, 200, 200, 60, 200, 200, 200, 200, 200, 180];
    const lost = { windows: [windowOf(labels, { agreed })], ...GOOD };
    expect(judge(lost)).toMatchObject({
      verdict: "refuse",
      lostClasses: [{ where: "stream", class: 3, rule: "drop" }],
    });
  });

  it("promotes nothing whose latency or forgetting nobody measured", () => {
    const { latencyMs: _, ...unmeasured } = GOOD;
    expect(judge({ windows: [windowOf(GAINS)], ...unmeasured }).verdict).toBe("continue");
    expect(judge(evidenceOf(GAINS, { sets: [] })).verdict).toBe("continue");
  });

  it("refuses a worse candidate before its budget is spent", () => {
    expect(broken(evidenceOf(times(15, loss)))).toContain("not worse");
  });

  it("refuses two models that hardly differ, without a label", () => {
    const windows = [windowOf([], { inputs: 4000, disagreements: 4 })];
    expect(broken({ windows, ...GOOD })).toEqual(["disagreement"]);
  });

  it("refuses an effect below the least one", () => {
    const windows = [windowOf(times(12, gain), { inputs: 40_000, disagreements: 190 })];
    expect(judge({ windows, ...GOOD }).verdict).not.toBe("promote");
  });

  it("refuses when the budget is spent, or when what is left cannot show anything", () => {
    const even = Array.from({ length: 50 }, () => [gain, loss]).flat();
    expect(broken(evidenceOf(even))).toContain("label budget");
    const hopeless = [...times(30, loss), ...times(50, neither)];
    expect(judge(evidenceOf(hopeless), { ...GATE_RULES, harmAlpha: 1e-12 }).reasons).toContainEqual(
      expect.objectContaining({ rule: "label budget", state: "broken", text: expect.stringContaining("cannot show") }),
    );
  });

  it("refuses after the last window, not while it is open", () => {
    const windows = [windowOf([gain]), windowOf([gain]), windowOf([gain], { isOpen: true })];
    expect(judge({ windows, ...GOOD }).verdict).toBe("continue");
    expect(broken({ windows: windows.map((each) => ({ ...each, isOpen: false })), ...GOOD })).toEqual([
      "window budget",
    ]);
  });

  it("weighs pairs that were drawn with unequal chances", () => {
    const labels = [...times(40, { ...gain, weight: 1 }), ...times(15, { ...loss, weight: 20 })];
    const { verdict, effect } = judge(evidenceOf(labels, { maxWeight: 20 }));
    expect(effect?.effect).toBeLessThan(0);
    expect(verdict).not.toBe("promote");
  });

  it.each<[string, Evidence]>([
    ["more labels than disagreements", { windows: [windowOf(GAINS, { disagreements: 39 })], ...GOOD }],
    ["more labels than the budget", evidenceOf(times(101, gain))],
    ["a drawn disagreement with one answer", evidenceOf([{ ...gain, live: 0 }])],
    ["a weight above the largest", evidenceOf([{ ...gain, weight: 2 }])],
    ["a class that is no number", evidenceOf([{ ...gain, label: -1 }])],
    ["a latency of 0", evidenceOf([], { latencyMs: { live: 0, candidate: 1 } })],
    ["agreed inputs that do not add up", { windows: [windowOf([], { agreed: [10] })], ...GOOD }],
    [
      "a set with more right answers than inputs",
      evidenceOf([], { sets: [{ name: "window 0", classes: [{ inputs: 1, live: 2, candidate: 0 }] }] }),
    ],
  ])("takes no evidence with %s", (_, evidence) => {
    expect(() => judge(evidence)).toThrow(expect.objectContaining({ code: "KN_INVARIANT" }));
  });
});

describe("labelsLeft", () => {
  it("keeps some of the budget for the uniform stratum", () => {
    expect(labelsLeft({ windows: [] })).toEqual({ disagreements: 90, uniform: 10 });
    const common: LabelledPair = { stratum: "uniform", label: 0, live: 0, candidate: 0 };
    const labels = [...times(4, common), ...times(95, gain)];
    expect(labelsLeft({ windows: [windowOf(labels)] })).toEqual({ disagreements: 0, uniform: 1 });
  });
});

describe("pairedEffect", () => {
  it("weighs windows by their disagreements, not by their labels", () => {
    const windows = [
      windowOf(times(10, gain), { disagreements: 300 }),
      windowOf(times(40, loss), { disagreements: 100 }),
    ];
    expect(pairedEffect(windows).effect).toBeCloseTo((300 - 100) / 4000, 12);
  });

  it("is bounded by the share of disagreements, without labels too", () => {
    expect(pairedEffect([windowOf([])])).toEqual({ effect: NaN, low: -0.08, high: 0.08, disagreement: 0.08 });
    expect(pairedEffect([windowOf([], { disagreements: 0 })])).toMatchObject({ effect: 0, low: 0, high: 0 });
  });
});
