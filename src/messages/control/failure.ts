/** A `KnowledgeNetError` over the bus: one message for all of them, and one rule for errors of any other class. */
import {
  type Directive,
  directiveFor,
  ERROR_CODES,
  type ErrorCode,
  isKnowledgeNetError,
  KnowledgeNetError,
  parseErrorMessage,
} from "../../errors/index.ts";
import type { FailureFields } from "../generated/knowledgenet.ts";
import { readText } from "../wire/fields.ts";
import { refusal } from "../wire/refusal.ts";

/** What failed, and the directive of the supervisor in the other process. */
export interface Failure {
  readonly kind: "Failure";
  readonly code: ErrorCode;
  /** The whole message, for a reader. */
  readonly message: string;
  readonly directive: Directive;
}

/** Longer messages are cut when they are sent and refused when they are received, characters. */
const MAX_MESSAGE = 2048;

const DIRECTIVES: readonly string[] = ["resume", "restart", "stop", "escalate"] satisfies Directive[];

/** The message for an error. An error of any other class is a bug: KN_INVARIANT. */
export function failureOf(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  return {
    kind: "Failure",
    code: isKnowledgeNetError(error) ? error.code : "KN_INVARIANT",
    message: readable(text),
    directive: directiveFor(error),
  };
}

/** The error on the receiving side: same code and same message, over any number of hops. */
export function errorOf({ code, message }: Pick<Failure, "code" | "message">): KnowledgeNetError {
  return (
    parseErrorMessage(code, message) ??
    new KnowledgeNetError(code, { attempt: "complete a request", rule: "its receiver must not fail", value: message })
  );
}

export function writeFailure({ code, message, directive }: Failure): FailureFields {
  return { code, message: readable(message), directive };
}

/** @throws KnowledgeNetError KN_DECODE. */
export function readFailure(attempt: string, fields: FailureFields): Failure {
  const { code, directive } = fields;
  if (!isErrorCode(code)) throw refusal(attempt, "code must be one of ours", code);
  if (!isDirective(directive)) throw refusal(attempt, `directive must be one of ${DIRECTIVES.join(", ")}`, directive);
  return { kind: "Failure", code, message: readText(attempt, "message", fields.message, MAX_MESSAGE), directive };
}

/** Within the limit, and valid UTF-8: half a surrogate pair, which the cut may leave, has no encoding. */
function readable(text: string): string {
  return text.slice(0, MAX_MESSAGE).replace(/\p{Surrogate}/gu, "\ufffd");
}

function isErrorCode(text: string | null | undefined): text is ErrorCode {
  return (ERROR_CODES as readonly (string | null | undefined)[]).includes(text);
}

function isDirective(text: string | null | undefined): text is Directive {
  return text !== null && text !== undefined && DIRECTIVES.includes(text);
}
