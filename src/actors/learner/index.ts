/** The learner: follows the observations of a served student, trains it on what the oracle says, and decides. */
export { decodeFollowEvent, encodeFollowEvent, type FollowEvent, type RecordedEvent } from "./follow-events.ts";
export {
  type Follower,
  type FollowStep,
  resumeFollower,
  type SentUpdate,
  startFollower,
} from "./follower.ts";
export type {
  Anchor,
  FollowedInput,
  FollowerDeps,
  FollowerOptions,
  FollowerStart,
  Oracle,
} from "./follower-options.ts";
export type { StudentLab, TrainPlan } from "./student-lab.ts";
