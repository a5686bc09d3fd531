/** Which failures of the control plane pass by themselves. */
import { isKnowledgeNetError } from "../errors/index.ts";

/** True for a store or a bus that is away, and for a record that changed under the caller: the next look may succeed. */
export function isRetryable(error: unknown): boolean {
  return isKnowledgeNetError(error, "KN_UNAVAILABLE", "KN_FENCED");
}
