import { KnowledgeNetError } from "../../errors/index.ts";

/** Longest excerpt of a foreign value in an error message, characters. */
const EXCERPT = 80;

/** A message that is not what it must be. Every decoder here throws this and nothing else, KN_STALE apart. */
export function refusal(attempt: string, rule: string, value: unknown, cause?: unknown): KnowledgeNetError {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new KnowledgeNetError("KN_DECODE", {
    attempt,
    rule,
    value: text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text,
    ...(cause === undefined ? {} : { cause }),
  });
}
