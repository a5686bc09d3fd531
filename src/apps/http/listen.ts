/** host:port to a listening server. 0.0.0.0, [::] and * bind every address of the machine, IPv4 and IPv6; port 0 a free one. */
import type { Server } from "node:http";
import { KnowledgeNetError } from "../../errors/index.ts";

/** Hosts that bind every address. A socket of IPv6 that is bound to all addresses accepts IPv4 connections too. */
const EVERY_ADDRESS: readonly string[] = ["0.0.0.0", "::", "*"];
/** Errors of a machine without IPv6. */
const NO_IPV6: readonly (string | undefined)[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"];

/**
 * @param attempt for errors: "serve probes"
 * Rejects with KN_CONFIG for a malformed address or one that is taken.
 */
export async function listen(server: Server, address: string, attempt: string): Promise<void> {
  const [, named = "", port = ""] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  const host = named.replace(/^\[(.*)\]$/, "$1");
  const refuse = (value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `${attempt} at ${address}`,
      rule: "it must be host:port, of this machine and free",
      value,
      remedy: "for example --http 0.0.0.0:8080",
      ...(cause === undefined ? {} : { cause }),
    });
  if (host === "" || Number(port) > 65_535) throw refuse(address);
  try {
    if (!EVERY_ADDRESS.includes(host)) await bind(server, host, Number(port));
    else await bindEveryAddress(server, Number(port));
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}

/** The host:port of a listening server. */
export function boundAddress(server: Server): string {
  const at = server.address();
  if (typeof at !== "object" || at === null) throw new TypeError("the server does not listen on a port");
  return `${at.family === "IPv6" ? `[${at.address}]` : at.address}:${at.port}`;
}

async function bindEveryAddress(server: Server, port: number): Promise<void> {
  try {
    await bind(server, "::", port);
  } catch (error) {
    if (!NO_IPV6.includes((error as NodeJS.ErrnoException).code)) throw error;
    await bind(server, "0.0.0.0", port);
  }
}

async function bind(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, ipv6Only: false }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
