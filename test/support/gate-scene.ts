/** Evidence for the gate from a simulated stream with known truth. */
import { type Evidence, judge, type Judgement, labelsLeft, type LabelledPair } from "../../src/continuous/index.ts";

export interface Truth {
  /** P(candidate right) - P(live right). */
  readonly effect: number;
  /** Share of inputs with two different answers. */
  readonly disagreement: number;
  /** Share of these where neither is right. */
  readonly neither: number;
}

export interface Stream {
  readonly random: () => number;
  /** Inputs of a window. @default 2000 */
  readonly inputs?: number;
  /** Labels asked between two looks. @default 10 */
  readonly chunk?: number;
}

/** Guards that every candidate of the simulation fulfils. */
export const GOOD: Omit<Evidence, "windows"> = {
  sets: [{ name: "window 0", startShare: 0.9, classes: [{ inputs: 500, live: 450, candidate: 449 }] }],
  nonFiniteOutputs: 0,
  latencyMs: { live: 2, candidate: 2.1 },
};

/** A label of an input where both differ. The true class is 0; what else an answer is does not matter here. */
export function drawnPair(
  { effect, disagreement, neither }: Truth,
  stratum: LabelledPair["stratum"],
  u: number,
): LabelledPair {
  const gains = (1 - neither + effect / disagreement) / 2;
  if (u < gains) return { stratum, label: 0, live: 1, candidate: 0 };
  if (u < 1 - neither) return { stratum, label: 0, live: 0, candidate: 1 };
  return { stratum, label: 0, live: 1, candidate: 2 };
}

/** A whole decision: asks what `labelsLeft` allows, in chunks, window after window, until there is a verdict. */
export function decide(truth: Truth, { random, inputs = 2000, chunk = 10 }: Stream): Judgement {
  const windows: Evidence["windows"][number][] = [];
  for (;;) {
    const labels: LabelledPair[] = [];
    const disagreements = Array.from({ length: inputs }, random).filter((u) => u < truth.disagreement).length;
    const window = { window: windows.length, inputs, disagreements, labels, isOpen: true };
    windows.push(window);
    const atOnce = judge({ windows, ...GOOD }); // before the first label of the window
    if (atOnce.verdict !== "continue") return atOnce;
    for (let left = labelsLeft({ windows }).uniform; left > 0; left -= 1) {
      const isDisagreement = random() < truth.disagreement;
      labels.push(
        isDisagreement
          ? drawnPair(truth, "uniform", random())
          : { stratum: "uniform", label: 0, live: 0, candidate: 0 },
      );
    }
    while (window.isOpen) {
      const differing = labels.filter(({ live, candidate }) => live !== candidate).length;
      const asked = Math.min(chunk, labelsLeft({ windows }).disagreements, disagreements - differing);
      for (let i = 0; i < asked; i += 1) labels.push(drawnPair(truth, "disagreement", random()));
      window.isOpen = asked > 0;
      const judgement = judge({ windows, ...GOOD });
      if (judgement.verdict !== "continue") return judgement;
    }
  }
}
