/** Plain backpropagation over the bus: nothing at once; each arriving gradient is applied unchanged. */
import type { GradientSource } from "./gradient-source.ts";

export function lockedSource(): GradientSource {
  return {
    atOnce: () => undefined,
    onArrival: ({ gradient, origin }) => ({ apply: { gradient: gradient.clone(), origin } }),
  };
}
