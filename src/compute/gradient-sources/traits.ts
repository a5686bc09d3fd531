/**
 * What an actor must know about a source before any mathematics: plain facts, free of the tensor library, so that the
 * main thread can decide on flow without loading it.
 */
import type { GradientSourceKind } from "../../spec/index.ts";

export interface GradientSourceTraits {
  /** The block waits for the gradient of a batch before it takes the next one. */
  readonly isGating: boolean;
  /** The boundary has a gradient model actor, which learns from the gradients that come back. */
  readonly hasGradientModel: boolean;
  /** The next block has to send its input gradient back. */
  readonly wantsGradient: boolean;
}

export const GRADIENT_SOURCE_TRAITS = {
  /** Plain backpropagation over the bus: the baseline. */
  locked: { isGating: true, hasGradientModel: false, wantsGradient: true },
  /** A gradient model predicts, the true gradient teaches it. */
  synthetic: { isGating: false, hasGradientModel: true, wantsGradient: true },
} as const satisfies Record<GradientSourceKind, GradientSourceTraits>;
