/** Student sections: learn what their teacher's section says, side by side; and the whole student, which is one section. */
export {
  createStudentSectionActor,
  type StudentSectionActorDeps,
  type StudentSectionActorOptions,
} from "./student-section-actor.ts";
