/**
 * Failures: a closed set of codes, and one rule for the supervisor's reaction to each.
 *
 * @example
 * throw new KnowledgeNetError("KN_SHAPE", {
 *   attempt: "connect block 1 to block 2",
 *   rule: "both sides of a boundary must have one shape",
 *   value: "[2880] against [2304]",
 *   remedy: "correct `cuts` in the spec",
 * });
 */
export { type Directive, directiveFor } from "./directive.ts";
export {
  ERROR_CODES,
  type ErrorCode,
  type ErrorParts,
  isKnowledgeNetError,
  KnowledgeNetError,
  parseErrorMessage,
} from "./knowledgenet-error.ts";
