/** Subjects: what a message is called on the bus. */
export {
  inferSubject,
  nodeSubject,
  observeSubject,
  type ParsedSubject,
  parseSubject,
  PLANES,
  type Plane,
  runSubject,
} from "./subject.ts";
export { isRunName, isSubjectToken } from "./token.ts";
