/** Inputs of live traffic on the wire and in the log. Pure. */
export { decodeLiveInputs, encodeLiveInputs, type LiveInputs, liveInputsBytes } from "./live-inputs.ts";
export {
  decodeObservedInput,
  encodeObservedInput,
  type ObservationComparison,
  type ObservationInterest,
  type ObservedInput,
} from "./observed-input.ts";
export type { InputTensor } from "./input-tensor.ts";
