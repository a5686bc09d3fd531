/** Options by a schema, with errors that name the key. */
import type { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";

/**
 * @param attempt what the options are for, in the infinitive: "make a replay memory".
 * @throws KnowledgeNetError KN_CONFIG that names the first key that breaks a rule, the rule and the value.
 */
export function parseOptions<T>(schema: z.ZodType<T>, value: unknown, attempt: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  const current = path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt,
    rule: `${path.map(String).join(".") || "options"}: ${issue?.message}`,
    value: current === undefined ? "absent" : JSON.stringify(current),
    remedy: "correct it and try again",
  });
}
