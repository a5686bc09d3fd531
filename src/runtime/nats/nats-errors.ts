/** What nats.js throws, told apart. */
import { ErrorCode, NatsError } from "nats";

const CREDENTIAL_CODES: readonly string[] = [
  ErrorCode.AuthorizationViolation,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.AccountExpired,
  ErrorCode.BadAuthentication,
  ErrorCode.BadCreds,
];

export function isCredentialError(error: unknown): boolean {
  return error instanceof NatsError && CREDENTIAL_CODES.includes(error.code);
}

/** nats.js names some errors by their code alone; the socket's own word is in the chain. */
export function messageOf(error: unknown): string {
  if (error instanceof NatsError && error.chainedError !== undefined)
    return `${error.message} (${error.chainedError.message})`;
  return error instanceof Error ? error.message : String(error);
}
