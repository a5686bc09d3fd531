/**
 * A mixture of the gradient model's prediction and the true gradient: one update per batch, of (1 - share) times the
 * prediction for this batch and `share` times the true gradients of earlier batches since the previous update.
 *
 * Why not two updates: Adam is invariant to the scale of a gradient, so each update would move the weights in full. A
 * share has a meaning only within one update.
 * The previous block receives the predicted gradient once and unscaled: it is an estimate, not a share of one.
 */
import type { MixedSpec } from "../../../run-spec/index.ts";
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";

export interface MixedSourceOptions extends MixedSpec {
  /** Steps of the run, over which the share moves. */
  readonly totalSteps: number;
}

/** @param gradientModel undefined when it is on another node: its prediction then arrives over the bus too. */
export function mixedSource(
  options: MixedSourceOptions,
  gradientModel: (() => GradientModel) | undefined,
): GradientSource {
  return {
    atOnce({ step, output, labels }) {
      if (gradientModel === undefined) return undefined;
      const gradient = gradientModel().predict(step, output, labels);
      return { gradient, origin: "synthetic", share: 1 - trueShareAt(step, options), keep: true };
    },
    onArrival({ step, gradient, origin, taken }) {
      const hasSynthetic = taken.has("synthetic");
      const hasReturned = taken.has("true") || taken.has("bootstrapped");
      const share = trueShareAt(step, options);
      // Each kind once, in whichever order they come; the recording ends with the second.
      if (origin === "synthetic") {
        if (hasSynthetic) return {};
        return { apply: { gradient: gradient.clone(), origin, share: 1 - share, keep: !hasReturned } };
      }
      if (hasReturned) return {};
      return { accumulate: { gradient: gradient.clone(), origin, share, keep: !hasSynthetic } };
    },
  };
}

/** Share of the true gradient at `step`, counted from 1: fixed, or in a line from `from` to `to`, where it stays. */
export function trueShareAt(step: number, { trueShare, totalSteps }: MixedSourceOptions): number {
  if (typeof trueShare === "number") return trueShare;
  const progress = Math.min(1, step / Math.max(1, totalSteps));
  return trueShare.from + (trueShare.to - trueShare.from) * progress;
}
