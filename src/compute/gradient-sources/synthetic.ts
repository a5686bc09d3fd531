/** The gradient model beside the block predicts at once (Jaderberg et al. 2016); it learns by its own actor's hand. */
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";

export function syntheticSource(gradientModel: () => GradientModel): GradientSource {
  return {
    atOnce: ({ step, output, labels }) => ({
      gradient: gradientModel().predict(step, output, labels),
      origin: "synthetic",
    }),
    onArrival: () => ({}), // the gradient model actor hears the same subject and teaches M
  };
}
