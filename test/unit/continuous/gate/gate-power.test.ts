/**
 * Power of the gate against that of one exact test with the same labels, and its error, by simulation. The table of
 * docs/adr/0022: KN_DECISIONS=2000 npx vitest run test/unit/continuous/gate/gate-power.test.ts
 */
import { describe, expect, it } from "vitest";
import { GATE_RULES } from "../../../../src/continuous/index.ts";
import { binomialTail } from "../../../../src/continuous/statistics/index.ts";
import { decide } from "../../../support/gate-scene.ts";
import { randomFrom } from "../../../support/random.ts";

const DECISIONS = Number(process.env["KN_DECISIONS"] ?? 40);
const EFFECT = 0.03;

/** Chance that a one-sided exact test of all labels at disagreements finds the effect: no sequential test has more. */
function powerOfOneLook(disagreement: number): number {
  const trials = GATE_RULES.labelBudget - GATE_RULES.uniformLabels;
  let critical = 0;
  while (binomialTail(critical, trials, 0.5) > GATE_RULES.alpha) critical += 1;
  return binomialTail(critical, trials, (1 + EFFECT / disagreement) / 2);
}

describe("judge", () => {
  it.each([0.04, 0.06, 0.08, 0.1, 0.15])(
    "has the power of one exact test where models differ on %d",
    (disagreement) => {
      const random = randomFrom(Math.round(disagreement * 1e6));
      const run = (effect: number): { readonly promoted: number; readonly labels: number } => {
        const all = Array.from({ length: DECISIONS }, () => decide({ effect, disagreement, neither: 0 }, { random }));
        return {
          promoted: all.filter(({ verdict }) => verdict === "promote").length / DECISIONS,
          labels: all.reduce((sum, { labels }) => sum + labels, 0) / DECISIONS,
        };
      };
      const [better, equal, worse] = [run(EFFECT), run(0), run(-EFFECT)];
      const most = powerOfOneLook(disagreement);
      if (process.env["KN_DECISIONS"] !== undefined) {
        const cells = [
          disagreement,
          most,
          better.promoted,
          better.labels,
          equal.promoted,
          equal.labels,
          worse.promoted,
          worse.labels,
        ];
        console.log(`| ${cells.map((each) => each.toPrecision(3)).join(" | ")} |`);
      }
      const error = (share: number): number => 3 * Math.sqrt((share * (1 - share)) / DECISIONS);
      expect(better.promoted).toBeGreaterThanOrEqual(most - 0.03 - error(most));
      expect(equal.promoted).toBeLessThanOrEqual(GATE_RULES.alpha + error(GATE_RULES.alpha));
      expect(worse.promoted).toBe(0);
    },
  );
});
