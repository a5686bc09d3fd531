/** Transient failures of the control plane. */
import { isKnowledgeNetError } from "../errors/index.ts";

/** True for an unavailable store or bus, and for a record that was written concurrently: a retry may succeed. */
export function isRetryable(error: unknown): boolean {
  return isKnowledgeNetError(error, "KN_UNAVAILABLE", "KN_FENCED");
}
