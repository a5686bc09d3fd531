/**
 * The mathematics, behind worker threads. Knows nothing of buses, clocks or files; importing it loads no tensor library
 * on the caller's thread.
 *
 * @example
 * await using worker = await createComputeWorker({ backend: "auto" });
 * const block = await openBlock(worker, "block-0", options);
 * const { result } = await block.train({ step: 1, input, labels }, (activation) => publish(activation));
 */
export type { BackendInfo, BackendPreference } from "./backend/index.ts";
export {
  type AutoChoice,
  type AutoObservation,
  type AutoPolicy,
  type AutoPolicyOptions,
  type AutoSwitch,
  createAutoPolicy,
} from "./block/gradient-sources/auto-policy.ts";
export { GRADIENT_SOURCE_TRAITS, type GradientSourceTraits } from "./block/gradient-sources/traits.ts";
export type { LearningRateOptions } from "./nn/optimizer/index.ts";
export type { BlockUnitOptions, UpdateOutcome } from "./block/block-unit.ts";
export type { SliceDescription } from "./nn/describe-model.ts";
export type { SectionObjective, SectionUnitOptions } from "./distillation/section-unit.ts";
export { type StitchedSection, stitchSections } from "./distillation/stitch.ts";
export type { InferenceUnitOptions, InferOutcome } from "./inference/inference-unit.ts";
export type { TeacherUnitOptions } from "./distillation/teacher-unit.ts";
export { deriveSeed } from "./nn/seed.ts";
export type { NamedTensorData, TensorData } from "./tensor-data.ts";
export { type ComputeWorker, createComputeWorker } from "./worker/compute-worker.ts";
export {
  type BlockHandle,
  type GradientModelHandle,
  type InferenceHandle,
  openBlock,
  openGradientModel,
  openInference,
  openSection,
  openTeacher,
  type SectionHandle,
  type TeacherHandle,
  type UnitHandle,
} from "./worker/handles.ts";
