/**
 * Which live inputs become observations: within a budget, by interest, with weights that keep estimates unbiased.
 *
 * @example
 * const observer = createObserver({
 *   seed: 1,
 *   classes: 10,
 *   budget: { inputsPerMinute: 120, bytesPerMinute: 120 * 784 },
 *   maxInputBytes: 784,
 * });
 * observer.consider({ payload, atMs: clock.now(), logits });
 * for (const observation of observer.take(clock.now())) publish(observation);
 */
export type { Interest } from "./interest.ts";
export {
  createObserver,
  limitsOf,
  type LiveInput,
  NOT_OBSERVED,
  type NotObserved,
  type Observation,
  type Observer,
  type ObserverCounts,
  type ObserverDeps,
} from "./observer.ts";
export type { ObserverInput, ObserverOptions } from "./observer-options.ts";
export { type Amount, createSlidingBudget, type SlidingBudget, type Spending } from "./sliding-budget.ts";
