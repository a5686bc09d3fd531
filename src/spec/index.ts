/**
 * The run spec: schema, defaults and what follows from it. Pure: text in, values out.
 *
 * @example
 * const spec = parseSpec(readFileSync("run.yaml", "utf8"), { file: "run.yaml", set: ["training.epochs=3"] });
 * boundariesOf(spec).map((boundary) => boundary.source); // ["synthetic", "synthetic", "synthetic"]
 */
export { LAYER_TYPES, type LayerSpec, type LayerType, layersOfBlocks, type ModelSpec } from "./model-spec.ts";
export { parseSpec, type ParseSpecOptions, type RunSpec } from "./parse-spec.ts";
export {
  type AutoSpec,
  type AuxiliarySpec,
  blockActor,
  boundariesOf,
  type BoundarySpec,
  type CodecName,
  type DelayedSpec,
  gradientActor,
  GRADIENT_SOURCES,
  type GradientModelSpec,
  type GradientSourceKind,
  type MixedSpec,
  type OptimizerSpec,
  type TrainingSpec,
  trainingSpecSchema,
} from "./training-spec.ts";
