/**
 * The one error type that a supervisor decides on.
 *
 * Contract: a failure that a supervisor, an operator or a remote caller must react to is a `KnowledgeNetError` with a
 * code from the closed set below. Programmer mistakes stay `TypeError` / `RangeError`; a cancellation rethrows
 * `signal.reason`. Messages follow one grammar: "Cannot <do> as <rule>: <value>; <what to do>".
 */

/** The closed set of codes; docs/errors.md has a row for each with the remedy. */
export const ERROR_CODES = [
  "KN_CONFIG",
  "KN_DECODE",
  "KN_SHAPE",
  "KN_STALE",
  "KN_OVERLOADED",
  "KN_UNAVAILABLE",
  "KN_FENCED",
  "KN_NUMERIC",
  "KN_CHECKPOINT",
  "KN_INVARIANT",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** The four parts of every message, and the cause. */
export interface ErrorParts {
  /** What was attempted, in the infinitive: "decode an activation". */
  readonly attempt: string;
  /** The rule that was broken: "shape x dtype must equal the byte count". */
  readonly rule: string;
  /** The value that broke it, already rendered for a reader. */
  readonly value?: string;
  /** What the reader can do now. */
  readonly remedy?: string;
  /**
   * Its cause may pass while the program runs, as a full disk does, whatever the code says in general. Known to the
   * process that met it: it does not go over the bus. @default false
   */
  readonly mayPass?: boolean;
  readonly cause?: unknown;
}

export class KnowledgeNetError extends Error {
  override readonly name = "KnowledgeNetError";
  readonly code: ErrorCode;
  readonly attempt: string;
  readonly rule: string;
  readonly value: string | undefined;
  readonly remedy: string | undefined;
  readonly mayPass: boolean;

  constructor(code: ErrorCode, parts: ErrorParts) {
    const value = parts.value === undefined ? "" : `: current value is ${parts.value}`;
    const remedy = parts.remedy === undefined ? "" : `; ${parts.remedy}`;
    super(
      `${code}: Cannot ${parts.attempt} as ${parts.rule}${value}${remedy}`,
      parts.cause === undefined ? undefined : { cause: parts.cause },
    );
    this.code = code;
    this.attempt = parts.attempt;
    this.rule = parts.rule;
    this.value = parts.value;
    this.remedy = parts.remedy;
    this.mayPass = parts.mayPass ?? false;
  }
}

/** True when `error` is a `KnowledgeNetError`, of one of `codes` when any are named. */
export function isKnowledgeNetError(error: unknown, ...codes: readonly ErrorCode[]): error is KnowledgeNetError {
  return error instanceof KnowledgeNetError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * Error of a message that another process sent: the same text, with its parts. @returns undefined for any other text.
 */
export function parseErrorMessage(code: ErrorCode, message: string): KnowledgeNetError | undefined {
  const match = /^(KN_[A-Z]+): Cannot (.+?) as (.+?)(?:: current value is (.+?))?(?:; (.+))?$/s.exec(message);
  if (match === null || match[1] !== code) return undefined;
  const [, , attempt = "", rule = "", value, remedy] = match;
  return new KnowledgeNetError(code, {
    attempt,
    rule,
    ...(value === undefined ? {} : { value }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}
