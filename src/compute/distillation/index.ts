/**
 * Sections of a teacher (inference alone) and of its student (each with a loss of its own). `stitch.ts` joins the
 * student's sections to one network.
 */
export {
  createSectionUnit,
  type SectionEvaluateOutcome,
  type SectionTrainOutcome,
  type SectionTrainRequest,
  type SectionUnit,
  type SectionUnitOptions,
} from "./section-unit.ts";
export { createTeacherUnit, type TeacherUnit, type TeacherUnitOptions } from "./teacher-unit.ts";
