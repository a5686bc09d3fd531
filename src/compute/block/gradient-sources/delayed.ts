/**
 * The true gradient when it comes, and the block goes on meanwhile. It is pulled back on the tape of its own forward, so
 * that it is exact at the weights of then (weight stashing, PipeDream; docs/adr/0001), and moves the weights of now by a
 * rate that shrinks with its age: (1 + age)^-ageExponent.
 */
import type { DelayedSpec } from "../../../run-spec/index.ts";
import type { GradientSource } from "./gradient-source.ts";

export function delayedSource({ ageExponent }: DelayedSpec): GradientSource {
  return {
    atOnce: () => undefined,
    onArrival: ({ gradient, origin, age }) => ({
      // The rate and not the gradient: Adam does not feel the scale of a gradient.
      apply: { gradient: gradient.clone(), origin, rateScale: (1 + age) ** -ageExponent },
    }),
  };
}
