/**
 * The actor that chooses live inputs of a model within a budget, and appends them to the model's log of observations.
 *
 * @example
 * const observer = createObserverActor(options, { bus, clock, log, model, store: models, redact });
 * await observer.start();
 */
export { createObserverActor } from "./observer-actor.ts";
export type { ObserverActorDeps, ObserverActorOptions, ObserverBudget } from "./observer-options.ts";
