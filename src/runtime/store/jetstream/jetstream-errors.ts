/** Errors of JetStream, as errors of the port. */
import { isKnowledgeNetError, KnowledgeNetError } from "../../../errors/index.ts";
import { ErrorCode, messageOf, NatsError } from "../../nats/index.ts";
import { storeClosed } from "../keys.ts";

/** nats-server's server/errors.json. */
const WRONG_LAST_SEQUENCE = 10071;
const STREAM_NOT_FOUND = 10059;
const NO_ROOM: readonly number[] = [
  10023, // insufficient resources
  10028, // memory resources exceeded
  10047, // storage resources exceeded
  10077, // message could not be stored: the stream's limit, or the disk
];
/** A limit that no retry changes. */
const LIMIT_REACHED: readonly number[] = [
  10026, // maximum consumers limit reached
  10027, // maximum number of streams reached
];
/** The server has no JetStream, or not for this account: code 503 as well, but for ever. */
const NOT_ENABLED: readonly number[] = [10039, 10076];
const NOT_FOUND: readonly string[] = [ErrorCode.JetStream404NoMessages];

/** True for the refusal of a compare-and-set. */
export function isWrongRevision(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === WRONG_LAST_SEQUENCE;
}

/** True when there is no such message. */
export function isNotFound(error: unknown): boolean {
  if (!(error instanceof NatsError) || isStreamNotFound(error)) return false;
  return NOT_FOUND.includes(error.code) || error.api_error?.code === 404;
}

/** True when there is no such stream. */
export function isStreamNotFound(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === STREAM_NOT_FOUND;
}

/** True when the same request may succeed soon: the servers elect a leader, or one of them starts. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof NatsError)) return false;
  const { code, err_code: errorCode } = error.api_error ?? {};
  if (code !== undefined) return code === 503 && !NOT_ENABLED.includes(errorCode ?? 0);
  return error.code === ErrorCode.Timeout;
}

/** True when the request has no receiver: no replica of the stream is connected, or JetStream is off. */
export function isNoResponders(error: unknown): boolean {
  return error instanceof NatsError && error.api_error === undefined && error.code === ErrorCode.NoResponders;
}

/** Runs `work`; its rejection becomes a KnowledgeNetError. */
export async function orTranslate<T>(description: string, attempt: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translate(description, attempt, error);
  }
}

export function translate(description: string, attempt: string, cause: unknown): unknown {
  if (isKnowledgeNetError(cause) || !(cause instanceof Error)) return cause;
  const value = messageOf(cause);
  if (!(cause instanceof NatsError)) return cause;
  if (cause.code === ErrorCode.ConnectionClosed || cause.code === ErrorCode.ConnectionDraining) {
    return storeClosed(description, attempt, cause);
  }
  if (LIMIT_REACHED.includes(cause.api_error?.err_code ?? 0)) {
    return new KnowledgeNetError("KN_CONFIG", {
      attempt,
      rule: `the account at ${description} must allow another stream`,
      value,
      remedy: "raise the account's `max_streams` on the server, or remove ended runs: `kn rm RUN`, `kn gc`",
      cause,
    });
  }
  if (cause.code === ErrorCode.MaxPayloadExceeded) {
    return new KnowledgeNetError("KN_OVERLOADED", {
      attempt,
      rule: `a record must fit the largest message of ${description}`,
      value,
      remedy: "raise `max_payload` in the server's configuration to 1MB",
      cause,
    });
  }
  if (NO_ROOM.includes(cause.api_error?.err_code ?? 0)) {
    return new KnowledgeNetError("KN_CHECKPOINT", {
      attempt,
      rule: "there must be room on the server",
      value,
      remedy: "raise JetStream's limits or free space, then save again: what was saved before is intact",
      mayPass: true,
      cause,
    });
  }
  if (isStreamNotFound(cause)) {
    return new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt,
      rule: "its stream must exist",
      value,
      remedy: "open it again: that makes a new one",
      cause,
    });
  }
  if (cause.code === ErrorCode.JetStreamNotEnabled) return noJetStream(description, cause);
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt,
    rule: `JetStream at ${description} must do it`,
    value,
    remedy: "check the server's log; read the key again to learn whether the change was made",
    cause,
  });
}

export function noJetStream(description: string, cause: unknown): KnowledgeNetError {
  if (isTransient(cause)) {
    return new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `open a store at ${description}`,
      rule: "JetStream must have a leader",
      value: messageOf(cause),
      remedy: "check that more than half of the cluster's servers run and reach each other",
      cause,
    });
  }
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `open a store at ${description}`,
    rule: "the server must have JetStream for this account",
    value: messageOf(cause),
    remedy: "start it with `nats-server -js -sd <folder>`, or give the account JetStream",
    cause,
  });
}
