/** Errors of nats.js, by what to do about them. */
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

/** Node's codes of a certificate that was not accepted. (`SELF_SIGNED...`, `CERT_HAS_EXPIRED`, `ERR_TLS_CERT_...`.) */
const CERTIFICATE_CODE =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;

/** True when the certificate of the server was refused: the same certificate is refused each time. */
export function isCertificateError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && CERTIFICATE_CODE.test(code)) return true;
  return error instanceof NatsError && isCertificateError(error.chainedError);
}

/** True when TLS was asked of a server that has none. */
export function isPlainServerError(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.ServerOptionNotAvailable;
}

/** nats.js names some errors by their code alone; the socket's message is in the chain. */
export function messageOf(error: unknown): string {
  if (error instanceof NatsError && error.chainedError !== undefined)
    return `${error.message} (${error.chainedError.message})`;
  return error instanceof Error ? error.message : String(error);
}
