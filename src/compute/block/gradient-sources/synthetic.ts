/**
 * The gradient model's prediction (Jaderberg et al. 2016): at once from the model beside the block, or over the bus from
 * one on another node. M learns by its own actor's hand, which hears the true gradient on the same subject.
 */
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";

/** @param gradientModel undefined when M is on another node. */
export function syntheticSource(gradientModel: (() => GradientModel) | undefined): GradientSource {
  return {
    atOnce({ step, output, labels }) {
      if (gradientModel === undefined) return undefined;
      return { gradient: gradientModel().predict(step, output, labels), origin: "synthetic" };
    },
    onArrival: ({ gradient, origin }) =>
      origin === "synthetic" ? { apply: { gradient: gradient.clone(), origin } } : {},
  };
}
