/** The feeder: reads the data and publishes batches at the pace of the slowest learner. */
export { createFeederActor } from "./feeder-actor.ts";
export type { FeederActorDeps, FeederActorOptions } from "./feeder-options.ts";
export { createFeedingPlan, type FeedingPlan, type FeedingPlanOptions } from "./feeding-plan.ts";
