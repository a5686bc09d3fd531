/** Transient failures of the control plane. */
import { isKnowledgeNetError } from "../errors/index.ts";

/**
 * True for an unavailable store or bus, for a full disk, and for a record that was written concurrently: a retry may
 * succeed. A damaged record stays damaged, though its code is that of a full disk.
 */
export function isRetryable(error: unknown): boolean {
  if (!isKnowledgeNetError(error)) return false;
  return error.mayPass || isKnowledgeNetError(error, "KN_UNAVAILABLE", "KN_FENCED");
}
