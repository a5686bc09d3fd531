/** The learner: follows the observations of a served student, trains it on what the oracle says, and decides. */
export { cacheLabels, type ComputingOracle, type LabelCounts } from "./cached-oracle.ts";
export { decodeFollowEvent, type FollowEvent, type RecordedEvent } from "./follow-events.ts";
export { type Follower, resumeFollower, startFollower } from "./follower.ts";
export type { FollowStep } from "./follower-core.ts";
export type {
  Anchor,
  Comparison,
  FollowedInput,
  FollowerDeps,
  FollowerOptions,
  FollowerStart,
  Oracle,
} from "./follower-options.ts";
export type { Lesson, SectionPlan, StudentLab, TrainPlan } from "./student-lab.ts";
export { createLearnerActor, type LearnerActorDeps, type LearnerActorOptions } from "./learner-actor.ts";
export { type LearnerMemory, openLearnerMemory } from "./learner-memory.ts";
export { removeLabels, unusedLabels } from "./label-records.ts";
export { removeSaves, savesOf, storedLearners, unusedSaves } from "./stored-learners.ts";
export type { SentUpdate } from "./sent-update.ts";
export { classesOf } from "./answers.ts";
