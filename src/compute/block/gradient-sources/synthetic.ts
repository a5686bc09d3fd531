/**
 * The gradient model's prediction (Jaderberg et al. 2016): at once from the model beside the block, or over the bus
 * from one on another node. Its own actor trains it with the true gradient, which arrives on the same subject.
 */
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";

/** @param gradientModel undefined when it is on another node. */
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
