/**
 * Connects to a NATS server with the settings that an actor system needs: it reconnects for ever, notices a dead peer
 * within half a minute, and rejects the first connection after a time that the caller sets.
 */
import { connect, type ConnectionOptions, type NatsConnection } from "nats";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Clock, systemClock } from "../clock/index.ts";
import { isCertificateError, isCredentialError, isPlainServerError, messageOf } from "./nats-errors.ts";
import { type Access, authenticate } from "./access.ts";
import { parseServers } from "./servers.ts";

/** A first attempt is repeated this often while a server starts, ms. */
const FIRST_CONNECT_RETRY_MS = 200;

export interface NatsOptions extends Access {
  /** URLs `nats://[user:password@|token@]host[:port]` or `tls://...` of one cluster. */
  readonly servers: string | readonly string[];
  /** Name of the connection, shown by the server. */
  readonly name: string;
  /** How long the first connection may take, a starting server included, ms. @default 10000 */
  readonly connectTimeoutMs?: number;
  /** Pause between attempts to reconnect to one server, ms. @default 500: a server restarts in about that time */
  readonly reconnectWaitMs?: number;
  /** Random addition to the pause, ms, so that a fleet does not come back in one instant. @default 500 */
  readonly reconnectJitterMs?: number;
  /** A connection that leaves two of these pings unanswered is dead, ms. @default 10000 */
  readonly pingIntervalMs?: number;
  /** Gives up connecting. Later it has no effect. */
  readonly signal?: AbortSignal;
}

export interface NatsDeps {
  /** For the time-out of the first connection. @default the real one */
  readonly clock?: Clock;
}

export interface NatsLink {
  readonly connection: NatsConnection;
  /** The servers, without credentials. */
  readonly description: string;
}

/**
 * Rejects with KN_CONFIG for a malformed URL, an unreadable file, refused credentials or a certificate that is not
 * trusted; KN_UNAVAILABLE when no server answers in time; `signal.reason` on abort.
 */
export async function connectNats(options: NatsOptions, { clock = systemClock() }: NatsDeps = {}): Promise<NatsLink> {
  const { connectTimeoutMs = 10_000, signal } = options;
  const { hosts, credentials, isTls, description } = parseServers(options.servers);
  const settings: ConnectionOptions = {
    servers: hosts,
    name: options.name,
    ...credentials,
    ...authenticate(options, isTls),
    maxReconnectAttempts: -1,
    reconnectTimeWait: options.reconnectWaitMs ?? 500,
    reconnectJitter: options.reconnectJitterMs ?? 500,
    reconnectJitterTLS: options.reconnectJitterMs ?? 500,
    pingInterval: options.pingIntervalMs ?? 10_000,
    maxPingOut: 2,
    // A stack trace per subscription and request costs more than the message.
    noAsyncTraces: true,
  };
  const deadlineMs = clock.now() + connectTimeoutMs;

  // Not nats.js's `waitOnFirstConnect`: it cannot be ended, so a process without its server would never report it.
  for (;;) {
    signal?.throwIfAborted();
    const leftMs = Math.max(1, deadlineMs - clock.now());
    try {
      return { connection: await abortable(connect({ ...settings, timeout: leftMs }), signal), description };
    } catch (error) {
      if (signal?.aborted === true) throw error;
      if (isCredentialError(error)) throw refused(description, error);
      if (isCertificateError(error)) throw untrusted(description, options.tls?.caFile, error);
      if (isPlainServerError(error)) throw withoutTls(description, error);
      if (clock.now() + FIRST_CONNECT_RETRY_MS >= deadlineMs) throw unreachable(description, connectTimeoutMs, error);
    }
    await clock.sleep(FIRST_CONNECT_RETRY_MS, signal);
  }
}

/** Rejects on abort, and closes a connection that is made after it. */
function abortable(connecting: Promise<NatsConnection>, signal: AbortSignal | undefined): Promise<NatsConnection> {
  if (signal === undefined) return connecting;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    connecting.then(
      (connection) => {
        signal.removeEventListener("abort", onAbort);
        if (signal.aborted) void connection.close();
        resolve(connection);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
  });
}

function refused(description: string, cause: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `connect to ${description}`,
    rule: "the server must accept the credentials",
    value: messageOf(cause),
    remedy: "correct user and password (nats://user:password@host:port, or the files that hold them)",
    cause,
  });
}

function untrusted(description: string, caFile: string | undefined, cause: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `connect to ${description}`,
    rule: "an authority that this program trusts must have signed the server's certificate for that host",
    value: messageOf(cause),
    remedy:
      caFile === undefined
        ? "name the authority's certificate: `tls.caFile` in the `bus` section of the file that --bus names"
        : `see whether ${caFile} is the certificate of the server's authority, and the host is one that it names`,
    cause,
  });
}

function withoutTls(description: string, cause: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `connect to ${description}`,
    rule: "a server of a tls:// URL must offer TLS",
    value: "it does not",
    remedy: "use nats:// with it, or give it a certificate (`tls` in its configuration)",
    cause,
  });
}

function unreachable(description: string, timeoutMs: number, cause: unknown): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `connect to ${description}`,
    rule: `a NATS server must answer there within ${timeoutMs} ms`,
    value: messageOf(cause),
    remedy: "start the server (`nats-server -js`), or correct the URL",
    cause,
  });
}
