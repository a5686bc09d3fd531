import { KnowledgeNetError } from "../src/errors/index.ts";

export interface UnavailableParts {
  readonly value?: string;
  /** The command, or act, that fixes it. */
  readonly remedy?: string;
}

/** The failure of everything that provisioning attempts: something on this machine, or beyond it, is missing. */
export function unavailable(attempt: string, rule: string, more: UnavailableParts = {}): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", { attempt, rule, ...more });
}
