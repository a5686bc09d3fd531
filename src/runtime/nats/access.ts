/**
 * Credentials for a NATS server, from files: as Kubernetes mounts a Secret. They are read at each connection, so that a
 * secret may change while the process runs, and never printed.
 */
import { readFileSync } from "node:fs";
import { type ConnectionOptions, credsAuthenticator, tokenAuthenticator, usernamePasswordAuthenticator } from "nats";
import { KnowledgeNetError } from "../../errors/index.ts";

export interface TlsFiles {
  /** Certificates of the trusted authorities, PEM. @default those of Node */
  readonly caFile?: string | undefined;
  /** The client's certificate and its key, PEM, for a server that asks for one. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface Access {
  /** With `passwordFile`. */
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** A `.creds` file: JWT and seed. */
  readonly credentialsFile?: string | undefined;
  readonly tls?: TlsFiles | undefined;
}

/** @throws KnowledgeNetError KN_CONFIG when a file cannot be read */
export function authenticate(access: Access, isTls: boolean): Pick<ConnectionOptions, "authenticator" | "tls"> {
  const { user, passwordFile, tokenFile, credentialsFile, tls } = access;
  for (const file of [passwordFile, tokenFile, credentialsFile]) if (file !== undefined) readSecret(file);
  const authenticator = [
    ...(passwordFile === undefined ? [] : [usernamePasswordAuthenticator(user ?? "", () => textOf(passwordFile))]),
    ...(tokenFile === undefined ? [] : [tokenAuthenticator(() => textOf(tokenFile))]),
    ...(credentialsFile === undefined ? [] : [credsAuthenticator(() => readSecret(credentialsFile))]),
  ];
  return {
    ...(authenticator.length === 0 ? {} : { authenticator }),
    ...(tls === undefined ? (isTls ? { tls: {} } : {}) : { tls: readTls(tls) }),
  };
}

/** Their contents: nats.js names no file when one is missing. */
function readTls({ caFile, certFile, keyFile }: TlsFiles): NonNullable<ConnectionOptions["tls"]> {
  return {
    ...(caFile === undefined ? {} : { ca: textOf(caFile) }),
    ...(certFile === undefined ? {} : { cert: textOf(certFile) }),
    ...(keyFile === undefined ? {} : { key: textOf(keyFile) }),
  };
}

/** Without the end of the line that editors and `echo` leave. */
function textOf(file: string): string {
  return readSecret(file).toString("utf8").trimEnd();
}

function readSecret(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read ${file} to connect to the NATS server`,
      rule: "it must be a readable file",
      value: error instanceof Error ? error.message : String(error),
      remedy: "in Kubernetes: is the Secret there, with a key of that name?",
      cause: error,
    });
  }
}
