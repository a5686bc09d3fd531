/**
 * Server URLs. nats.js drops the credentials of a URL (and takes a numeric password for the port), so they are separated
 * here: neither the hosts nor the description holds any.
 */
import type { ConnectionOptions } from "nats";
import { KnowledgeNetError } from "../../errors/index.ts";

const DEFAULT_PORT = "4222";

export interface ParsedServers {
  /** host:port */
  readonly hosts: string[];
  readonly credentials: Pick<ConnectionOptions, "user" | "pass" | "token">;
  readonly isTls: boolean;
  /** The URLs for a reader, without credentials. */
  readonly description: string;
}

/** @throws KnowledgeNetError KN_CONFIG for a URL that is malformed or not of NATS */
export function parseServers(servers: string | readonly string[]): ParsedServers {
  const urls = (typeof servers === "string" ? servers.split(",") : servers).map((server) => parseServer(server.trim()));
  const [first] = urls;
  if (first === undefined) throw malformed("there must be at least one server", "none");
  // One cluster has one set of accounts: the first URL that names a user counts for all.
  const { username, password } = urls.find((url) => url.username !== "") ?? first;
  const user = decode(username);
  const credentials = user === "" ? {} : password === "" ? { token: user } : { user, pass: decode(password) };
  return {
    hosts: urls.map((url) => url.host),
    credentials,
    isTls: urls.some((url) => url.protocol === "tls:"),
    description: urls.map((url) => `${url.protocol}//${url.host}`).join(","),
  };
}

function parseServer(server: string): URL {
  const text = server.includes("://") ? server : `nats://${server}`;
  // The text may hold a password: it stays out of the message.
  if (!URL.canParse(text)) throw malformed("a server must be a URL like nats://127.0.0.1:4222", "not a URL");
  const url = new URL(text);
  if (url.protocol !== "nats:" && url.protocol !== "tls:") {
    throw malformed("a server's URL must begin with nats:// or tls://", `${url.protocol}//`);
  }
  if (url.hostname === "") throw malformed("a server's URL must name a host", `${url.protocol}//`);
  if (url.port === "") url.port = DEFAULT_PORT;
  return url;
}

/** @throws KnowledgeNetError KN_CONFIG, without the text: it is a secret */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed("user, password and token must be percent-encoded (% itself as %25)", "a % that encodes nothing");
  }
}

function malformed(rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", { attempt: "connect to a NATS server", rule, value });
}
