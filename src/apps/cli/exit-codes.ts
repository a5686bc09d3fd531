/** Exit codes of `kn`, stable: scripts may rest on them (docs/errors.md). */
import { type ErrorCode, isKnowledgeNetError } from "../../errors/index.ts";

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
/** Bad input: a spec, an option, a data file. Also what commander uses for unknown options. */
export const EXIT_CONFIG = 2;
export const EXIT_UNAVAILABLE = 3;
export const EXIT_CHECKPOINT = 4;
export const EXIT_SIGINT = 130;
export const EXIT_SIGTERM = 143;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  KN_CONFIG: EXIT_CONFIG,
  KN_SHAPE: EXIT_CONFIG,
  KN_UNAVAILABLE: EXIT_UNAVAILABLE,
  KN_CHECKPOINT: EXIT_CHECKPOINT,
};

export function exitCodeOf(error: unknown): number {
  return isKnowledgeNetError(error) ? (BY_CODE[error.code] ?? EXIT_FAILURE) : EXIT_FAILURE;
}
