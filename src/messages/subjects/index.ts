/** The subjects of the bus. */
export {
  fullUpdateSubject,
  inferSubject,
  nodeSubject,
  observeSubject,
  PLANES,
  type Plane,
  pressureSubject,
  runSubject,
  updateSubject,
} from "./subject.ts";
export { isRunName, isSubjectToken } from "./token.ts";
