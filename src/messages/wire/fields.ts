/** Checks of single fields, shared by all decoders: an absent field reads as zero, an invalid one is refused. */
import { isSubjectToken } from "../subjects/token.ts";
import { refusal } from "./refusal.ts";

/** A finite double of `range`. */
export function readNumber(attempt: string, name: string, value: number | null | undefined, least = -Infinity): number {
  const number = value ?? 0;
  if (!Number.isFinite(number) || number < least) {
    throw refusal(attempt, `${name} must be finite${least === -Infinity ? "" : ` and at least ${least}`}`, number);
  }
  return number;
}

/** A non-negative safe integer. */
export function readCount(attempt: string, name: string, value: number | null | undefined): number {
  const count = value ?? 0;
  if (!Number.isSafeInteger(count) || count < 0)
    throw refusal(attempt, `${name} must be an integer from 0 to 2^53 - 1`, count);
  return count;
}

/** A token of a subject: a run, an actor. */
export function readToken(attempt: string, name: string, value: string | null | undefined): string {
  const token = value ?? "";
  if (!isSubjectToken(token)) throw refusal(attempt, `${name} must be 1 to 64 characters of [A-Za-z0-9_-]`, token);
  return token;
}

/** Text of at most `maxLength` characters. */
export function readText(attempt: string, name: string, value: string | null | undefined, maxLength: number): string {
  const text = value ?? "";
  if (text.length > maxLength) throw refusal(attempt, `${name} must have at most ${maxLength} characters`, text);
  return text;
}

/** The word for an enum value; `words` holds each value's word at its index, index 0 (unspecified) is refused. */
export function readWord<Word extends string>(
  attempt: string,
  name: string,
  value: number | null | undefined,
  words: Readonly<Record<Word, number>>,
): Word {
  for (const word in words) if (words[word] === value) return word;
  throw refusal(attempt, `${name} must be one of ${Object.keys(words).join(", ")}`, value ?? 0);
}
