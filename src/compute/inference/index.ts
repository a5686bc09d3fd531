/**
 * Slices of a served network.
 *
 * @example
 * const unit = createInferenceUnit({ inputShape: [28, 28, 1], layers });
 * unit.load(7, tensors);
 * unit.complete(7);
 * const { output, nonFiniteRows } = unit.infer(7, { dtype: "u8", shape: [2, 28, 28, 1], values });
 */
export {
  createInferenceUnit,
  type InferenceUnit,
  type InferenceUnitOptions,
  type InferOutcome,
} from "./inference-unit.ts";
