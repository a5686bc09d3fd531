/**
 * Facts about each source that decide the flow of messages. Free of the tensor library, so that the main thread does
 * not load it.
 */
import type { GradientSourceKind } from "../../../run-spec/index.ts";

export interface GradientSourceTraits {
  /** The block waits for the gradient of a batch before it takes the next one. */
  readonly isGating: boolean;
  /** The boundary has a gradient model actor, which learns from the gradients that come back. */
  readonly hasGradientModel: boolean;
  /** The next block has to send its input gradient back. */
  readonly wantsGradient: boolean;
  /** The block itself applies the gradient that comes back, not only its gradient model. */
  readonly appliesReturned: boolean;
  /** The block has a local classifier. */
  readonly hasAuxiliaryHead: boolean;
}

const NONE = {
  isGating: false,
  hasGradientModel: false,
  wantsGradient: false,
  appliesReturned: false,
  hasAuxiliaryHead: false,
} as const satisfies GradientSourceTraits;

export const GRADIENT_SOURCE_TRAITS = {
  /** Plain backpropagation over the bus: the baseline. */
  locked: { ...NONE, isGating: true, wantsGradient: true, appliesReturned: true },
  /** A gradient model predicts and is trained with the true gradient. */
  synthetic: { ...NONE, hasGradientModel: true, wantsGradient: true },
  /** A local classifier's own loss; nothing is sent back. */
  auxiliary: { ...NONE, hasAuxiliaryHead: true },
  /** The true gradient when it arrives; the block continues meanwhile. */
  delayed: { ...NONE, wantsGradient: true, appliesReturned: true },
  /** The gradient model's at once and a share of the true one when it arrives. */
  mixed: { ...NONE, hasGradientModel: true, wantsGradient: true, appliesReturned: true },
  /** The auxiliary head or the gradient model, by the measured quality of the latter. */
  auto: { ...NONE, hasGradientModel: true, hasAuxiliaryHead: true, wantsGradient: true },
} as const satisfies Record<GradientSourceKind, GradientSourceTraits>;
