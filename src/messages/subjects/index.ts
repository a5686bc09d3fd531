/** The subjects of the bus. */
export { inferSubject, nodeSubject, PLANES, type Plane, pressureSubject, runSubject } from "./subject.ts";
export { isRunName, isSubjectToken } from "./token.ts";
