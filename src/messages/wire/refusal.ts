import { KnowledgeNetError } from "../../errors/index.ts";

/** Longest excerpt of a foreign value in an error message, characters. */
const EXCERPT = 80;

/** An invalid message. Every decoder throws this and nothing else, except KN_STALE. */
export function refusal(attempt: string, rule: string, value: unknown, cause?: unknown): KnowledgeNetError {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new KnowledgeNetError("KN_DECODE", {
    attempt,
    rule,
    value: text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text,
    ...(cause === undefined ? {} : { cause }),
  });
}
