/**
 * Streams of drifting images, for measurements of what follows them.
 *
 * @example
 * const stream = createDriftStream(
 *   { ...mnist, images: mnist.test },
 *   { seed: 1, schedule: { kind: "ramp", domain: [{ kind: "rotation", degrees: 90 }] } },
 * );
 * const { live, test } = stream.window(7);
 * live.batch([0, 1, 2]).samples; // [3, 28, 28, 1] u8
 */
export { applyDomain } from "./apply-domain.ts";
export {
  type Change,
  type Corruption,
  CORRUPTIONS,
  type Domain,
  type DriftInput,
  type DriftOptions,
  parseDriftOptions,
  type Schedule,
} from "./drift-options.ts";
export {
  createDriftStream,
  type DriftSource,
  type DriftSplit,
  type DriftStream,
  type DriftWindow,
} from "./drift-stream.ts";
export { planWindows, type WindowPlan } from "./plan-windows.ts";
