/** The feeder: reads the data, stamps the batches and publishes them at the pace of the slowest block. */
export { createFeederActor, type FeederActorDeps, type FeederActorOptions } from "./feeder-actor.ts";
export { createFeedingPlan, type FeedingPlan, type FeedingPlanOptions } from "./feeding-plan.ts";
