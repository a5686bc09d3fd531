import { describe, expect, it } from "vitest";
import { measuredOutcome } from "../../../src/jobs/final-evaluation.ts";
import { evaluation, phaseEnd } from "./run-scene.ts";

const SAMPLES = 32;

describe("measuredOutcome", () => {
  it("takes the evaluation after the last step", () => {
    const { outcome, evaluation: of } = measuredOutcome(phaseEnd().end, SAMPLES);
    expect([outcome, of?.step]).toEqual(["completed", 16]);
  });

  it.each([
    ["missing", [evaluation(8)]],
    ["short", [evaluation(8), evaluation(16, { samples: 31 })]],
    ["absent altogether", []],
  ])("calls a completed phase unmeasured when its last evaluation is %s", (_, evaluations) => {
    expect(measuredOutcome(phaseEnd({ record: { evaluations } }).end, SAMPLES)).toEqual({
      outcome: "unmeasured",
      evaluation: undefined,
    });
  });

  it.each(["stopped", "failed"] as const)("keeps the newest whole evaluation of a phase that %s", (outcome) => {
    const evaluations = [evaluation(8), evaluation(12, { samples: 20 })];
    const measured = measuredOutcome(phaseEnd({ outcome, record: { evaluations } }).end, SAMPLES);
    expect([measured.outcome, measured.evaluation?.step]).toEqual([outcome, 8]);
  });
});
