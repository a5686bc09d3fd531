/**
 * The rules of NATS subjects, pure: dot-separated tokens, case-sensitive; a token that is `*` stands for exactly one
 * token, a last token that is `>` for one or more. `*` and `>` inside a longer token are plain characters (`a.b>c`).
 * Source: docs.nats.io/nats-concepts/subjects and nats-server's `IsValidSubject`, `matchLiteral`.
 */
import { KnowledgeNetError } from "../../errors/index.ts";

/**
 * Longest subject, UTF-16 units. The server ends a connection whose control line passes 4,096 bytes; subject and reply
 * at three bytes a unit stay below.
 */
export const MAX_SUBJECT_LENGTH = 512;

// No white space and no NUL, both of which end a token in the wire protocol.
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is exactly what must not be there
const SUBJECT = /^[^\s.\0]+(?:\.[^\s.\0]+)*$/u;
const WILDCARD_TOKEN = /(?:^|\.)[*>](?:\.|$)/;
const INNER_FULL_WILDCARD = /(?:^|\.)>\./;

/** True for a subject that can be subscribed to: wildcards allowed, `>` only as the last token. */
export function isSubjectPattern(subject: string): boolean {
  return subject.length <= MAX_SUBJECT_LENGTH && SUBJECT.test(subject) && !INNER_FULL_WILDCARD.test(subject);
}

/** True for a subject that can be published to: no token is a wildcard. */
export function isLiteralSubject(subject: string): boolean {
  return subject.length <= MAX_SUBJECT_LENGTH && SUBJECT.test(subject) && !WILDCARD_TOKEN.test(subject);
}

/** @throws KnowledgeNetError KN_CONFIG when `subject` cannot be published to */
export function assertLiteralSubject(subject: string, attempt: string): void {
  if (isLiteralSubject(subject)) return;
  throw malformed(subject, attempt, "a subject must be dot-separated tokens without wildcards and white space");
}

/** @throws KnowledgeNetError KN_CONFIG when `pattern` cannot be subscribed to */
export function assertSubjectPattern(pattern: string, attempt: string): void {
  if (isSubjectPattern(pattern)) return;
  throw malformed(
    pattern,
    attempt,
    "a subject must be dot-separated tokens without white space, with `>` only at the end",
  );
}

/** True when a message on `subject` (literal) goes to a subscription of `pattern`. */
export function matchesSubject(pattern: string, subject: string): boolean {
  return compileSubjectPattern(pattern)(subject);
}

/** `matchesSubject` for one pattern and many subjects. */
export function compileSubjectPattern(pattern: string): (subject: string) => boolean {
  if (isLiteralSubject(pattern)) return (subject) => subject === pattern;
  const wanted = pattern.split(".");
  const isOpen = wanted.at(-1) === ">";
  if (isOpen) wanted.pop();
  return (subject) => {
    const tokens = subject.split(".");
    if (isOpen ? tokens.length <= wanted.length : tokens.length !== wanted.length) return false;
    return wanted.every((token, i) => token === "*" || token === tokens[i]);
  };
}

function malformed(subject: string, attempt: string, rule: string): KnowledgeNetError {
  const isLong = subject.length > MAX_SUBJECT_LENGTH;
  return new KnowledgeNetError("KN_CONFIG", {
    attempt,
    rule: isLong ? `a subject has at most ${MAX_SUBJECT_LENGTH} characters` : rule,
    value: isLong ? `${subject.length} characters, "${subject.slice(0, 40)}..."` : JSON.stringify(subject),
  });
}
