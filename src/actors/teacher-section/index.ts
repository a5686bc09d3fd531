/** Teacher sections: say what the teacher's boundary is for a batch, computed or from what was said before. */
export {
  createTeacherSectionActor,
  type TeacherSectionActorDeps,
  type TeacherSectionActorOptions,
} from "./teacher-section-actor.ts";
