/** Teacher sections serve teacher activations, from cache where possible. */
export {
  createTeacherSectionActor,
  type TeacherSectionActorDeps,
  type TeacherSectionActorOptions,
} from "./teacher-section-actor.ts";
