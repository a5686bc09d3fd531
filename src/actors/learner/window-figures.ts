/** The record of a window that ends: agreement, alarms, detectors. Pure. */
import {
  accuracyEstimator,
  type AdwinState,
  kolmogorovSmirnovTest,
  openAdwin,
  teacherAgreement,
} from "../../continuous/index.ts";
import type { WindowEnded } from "./follow-events.ts";
import type { FollowerState } from "./follower-state.ts";

/** Chance that the Kolmogorov-Smirnov test calls a window changed that is not. */
const KS_ALPHA = 0.001;

export function describeWindow(
  { window, position, open, live, reference, adwin: from }: FollowerState,
  { oracle, replay }: { readonly oracle: string; readonly replay: number },
): { readonly event: WindowEnded; readonly adwin: AdwinState } {
  const { uniform, confidences, observations } = open;
  const { low, high } = teacherAgreement(
    Array.from({ length: uniform.labels }, (_, index) => ({ agrees: index < uniform.right })),
  );
  const adwin = openAdwin({}, from);
  // Not `some`: every value counts.
  const hasMoved = confidences.filter((each) => adwin.update(each)).length > 0;
  const isOther =
    window > 0 &&
    confidences.length > 0 &&
    reference.confidences.length > 0 &&
    kolmogorovSmirnovTest(confidences, reference.confidences).pValue < KS_ALPHA;
  const estimate =
    window > 0 && confidences.length > 0 && reference.confidences.length > 0
      ? accuracyEstimator(reference).estimate(confidences)
      : undefined;
  const event: WindowEnded = {
    kind: "window",
    window,
    position,
    observations,
    live: live.number,
    agreement: { ...uniform, low, high },
    confidence: confidences.reduce((sum, each) => sum + each, 0) / Math.max(1, confidences.length),
    ...(estimate === undefined ? {} : { estimate }),
    drift: [
      ...(hasMoved ? (["adwin"] as const) : []),
      ...(isOther ? (["kolmogorov-smirnov"] as const) : []),
      ...(open.hasFallen ? (["sudden fall"] as const) : []),
    ],
    oracle,
    replay,
  };
  return { event, adwin: adwin.state() };
}
