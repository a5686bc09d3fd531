/** Figures that raise an alarm and decide nothing: they ask for a look, never for a swap. */
export { correctedAgreement, type LabelledConfidence } from "./corrected-agreement.ts";
export { type AccuracyEstimator, accuracyEstimator, type ConfidenceReference } from "./estimate-accuracy.ts";
export { type AgreementEstimate, type AgreementObservation, teacherAgreement } from "./teacher-agreement.ts";
