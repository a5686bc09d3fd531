/** Gradient models: predict the gradient at a boundary, learn from the one that comes later. */
export {
  createGradientModelActor,
  type GradientModelActorDeps,
  type GradientModelActorOptions,
} from "./gradient-model-actor.ts";
