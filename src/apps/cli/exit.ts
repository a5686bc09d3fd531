/** Exit codes of `kn`. They are stable: scripts and Kubernetes' podFailurePolicy depend on them (docs/errors.md). */
import { ERROR_CODES, type ErrorCode, isKnowledgeNetError } from "../../errors/index.ts";

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
/** Bad input: a spec, an option, a data file. Also the code of commander's own refusals. */
export const EXIT_CONFIG = 2;
export const EXIT_UNAVAILABLE = 3;
export const EXIT_CHECKPOINT = 4;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  KN_CONFIG: EXIT_CONFIG,
  KN_SHAPE: EXIT_CONFIG,
  KN_UNAVAILABLE: EXIT_UNAVAILABLE,
  KN_CHECKPOINT: EXIT_CHECKPOINT,
};

/** Requests to end: 128 and the signal's number, as a shell reports it. SIGPIPE: the reader of stdout has closed it. */
export const EXIT_BY_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
export type EndSignal = keyof typeof EXIT_BY_SIGNAL;

export function exitCodeOf(error: unknown): number {
  return isKnowledgeNetError(error) ? exitCodeOfErrorCode(error.code) : EXIT_FAILURE;
}

/** @param code error code reported by another process; any other text is a failure without a code. */
export function exitCodeOfErrorCode(code: string | undefined): number {
  const known = ERROR_CODES.find((each) => each === code);
  return known === undefined ? EXIT_FAILURE : (BY_CODE[known] ?? EXIT_FAILURE);
}
