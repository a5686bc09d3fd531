/**
 * What kinds of actors share: what each is given, the state of a learner with its tally of an evaluation, and the chart and
 * the frames of those that serve. Kinds never import one another.
 */
export { type ActorDeps, type ActorOptions, type StreamActorOptions } from "./actor-deps.ts";
export { askMeasurement } from "./ask-measurement.ts";
export { createFrameInbox } from "./frame-inbox.ts";
export { createLearnerState, type LearnerState } from "./learner-state.ts";
export { serviceLifecycle, type ServiceLifecycleEvent } from "./service-lifecycle.ts";
