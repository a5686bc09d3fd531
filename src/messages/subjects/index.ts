/** The subjects of the bus. */
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
