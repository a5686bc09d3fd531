/** The last block's source: the loss itself. */
import { softmaxCrossEntropy } from "../../nn/index.ts";
import type { GradientSource } from "./gradient-source.ts";

export function taskLossSource(): GradientSource {
  return {
    atOnce({ output, labels }) {
      const { gradient, lossSum } = softmaxCrossEntropy(output, labels);
      return { gradient, lossSum, origin: "true" };
    },
    onArrival: () => ({}),
  };
}
