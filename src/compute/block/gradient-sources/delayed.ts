/**
 * The true gradient when it arrives; the block continues meanwhile. It is pulled back on the tape of its own forward,
 * so that it is exact at the weights of that forward (weight stashing, PipeDream; docs/adr/0001), and moves the current
 * weights by a rate that decreases with its staleness: (1 + age)^-ageExponent.
 */
import type { DelayedSpec } from "../../../run-spec/index.ts";
import type { GradientSource } from "./gradient-source.ts";

export function delayedSource({ ageExponent }: DelayedSpec): GradientSource {
  return {
    atOnce: () => undefined,
    onArrival: ({ gradient, origin, age }) => ({
      // The rate and not the gradient: Adam is invariant to the scale of a gradient.
      apply: { gradient: gradient.clone(), origin, rateScale: (1 + age) ** -ageExponent },
    }),
  };
}
