/** Student sections: learn from the teacher's hints, section by section, or as a whole. */
export { createStudentSectionActor } from "./student-section-actor.ts";
export type { StudentSectionActorDeps, StudentSectionActorOptions } from "./student-section-options.ts";
