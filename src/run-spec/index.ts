/**
 * The run spec: schema, defaults and what follows from it. Pure: text in, values out.
 *
 * @example
 * const spec = parseSpec(readFileSync("run.yaml", "utf8"), { file: "run.yaml", set: ["training.epochs=3"] });
 * boundariesOf(spec).map((boundary) => boundary.source); // ["synthetic", "synthetic", "synthetic"]
 */
export {
  ACTOR_KINDS,
  type ActorKind,
  type ActorRef,
  actorRef,
  BASELINE,
  blockActor,
  COORDINATOR,
  FEEDER,
  gatewayActor,
  gradientActor,
  observerActor,
  LEARNER,
  parseActorRef,
  replicaActor,
  STUDENT,
  studentActor,
  teacherActor,
  updaterActor,
} from "./actor-ref.ts";
export { oracleServing, studentServing } from "./continuous-serving.ts";
export {
  type ContinuousSpec,
  continuousSpecSchema,
  isContinuousSpec,
  parseContinuousSpec,
} from "./continuous-spec.ts";
export {
  type DistillationSpec,
  distillationSpecSchema,
  type FinetunePhaseSpec,
  type HintSpec,
  type LogitsSpec,
  ownShareAt,
  type PhaseName,
  phasesOf,
  type SectionsPhaseSpec,
  type TeacherSpec,
} from "./distillation-spec.ts";
export { adapterLayers, foldTarget } from "./adapters.ts";
export { type ReadTopology, readTopology, writeTopology } from "./keras/index.ts";
export { type LayerMeasure, measureLayers, measureSections, type SectionMeasure } from "./measure-model.ts";
export { LAYER_TYPES, type LayerSpec, type LayerType, layersOfBlocks, type ModelSpec } from "./model-spec.ts";
export {
  MODEL_INPUT,
  MODEL_OUTPUTS,
  type ModelManifest,
  modelManifestSchema,
  signatureOf,
  type TensorMetadata,
} from "./model-manifest.ts";
export { observeSchema, type ObserveSpec } from "./observe-spec.ts";
export { parseYaml, type ParseYamlOptions } from "./parse-yaml.ts";
export { type PlanOptions, planStudent, type StudentPlan } from "./plan-student.ts";
export { type CodecName, maxFrameBytesOf, type OptimizerSpec } from "./run-parts.ts";
export { parseSpec, type ParseSpecOptions, parseTrainingSpec } from "./parse-spec.ts";
export { type ServingSpec, servingSpecSchema } from "./serving-spec.ts";
export {
  RUN_PHASES,
  type RunPhase,
  type RunSpec,
  runSpecSchema,
  SPEC_KINDS,
  SPEC_SCHEMAS,
  type SpecKind,
  TRAINING,
} from "./spec-kinds.ts";
export {
  type AutoSpec,
  type AuxiliarySpec,
  boundariesOf,
  type BoundarySpec,
  type DelayedSpec,
  GRADIENT_SOURCES,
  type GradientModelSpec,
  type GradientSourceKind,
  type MixedSpec,
  type TrainingSpec,
  trainingSpecSchema,
} from "./training-spec.ts";
