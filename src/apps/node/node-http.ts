/**
 * A node's HTTP endpoints for Kubernetes' probes and Prometheus.
 *
 * /healthz: the event loop runs; the answer itself is the proof, and it depends on nothing else. /startupz: the backend
 * is loaded and has computed. /readyz: the node is in its fleet; bus and store answer. /metrics: figures.
 */
import { createServer, type Server } from "node:http";
import { KnowledgeNetError } from "../../errors/index.ts";

export interface NodeHttpOptions {
  /** host:port; port 0 selects a free one. 0.0.0.0, [::] and * bind every address of the machine, IPv4 and IPv6. */
  readonly address: string;
}

export interface NodeHttpDeps {
  /** Reasons why the node is not started or not ready; none: it is. */
  readonly starting: () => readonly string[];
  readonly unready: () => Promise<readonly string[]>;
  /** Prometheus' text format, and its media type. */
  readonly metrics: { readonly contentType: string; readonly text: () => Promise<string> };
}

export interface NodeHttp extends AsyncDisposable {
  /** The bound host:port. */
  readonly address: string;
}

/** Rejects with KN_CONFIG for a malformed address or one that is taken. */
export async function serveNodeHttp({ address }: NodeHttpOptions, deps: NodeHttpDeps): Promise<NodeHttp> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<readonly [status: number, type: string, body: string]> => {
      if (request.method !== "GET" && request.method !== "HEAD") return [405, "text/plain", "GET only\n"];
      switch (request.url?.split("?")[0]) {
        case "/healthz":
          return verdict([]);
        case "/startupz":
          return verdict(deps.starting());
        case "/readyz":
          return verdict([...deps.starting(), ...(await deps.unready())]);
        case "/metrics":
          return [200, deps.metrics.contentType, await deps.metrics.text()];
        default:
          return [404, "text/plain", "paths: /healthz, /readyz, /startupz and /metrics\n"];
      }
    };
    answer()
      .catch((error: unknown) => [500, "text/plain", `${String(error)}\n`] as const)
      .then(([status, type, body]) => {
        response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
      })
      .catch(() => {
        response.destroy();
      });
  });
  await listen(server, address);
  const at = server.address();
  return {
    address:
      typeof at === "object" && at !== null
        ? `${at.family === "IPv6" ? `[${at.address}]` : at.address}:${at.port}`
        : address,
    [Symbol.asyncDispose]() {
      return new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
    },
  };
}

function verdict(reasons: readonly string[]): readonly [number, string, string] {
  return reasons.length === 0 ? [200, "text/plain", "ok\n"] : [503, "text/plain", `${reasons.join("\n")}\n`];
}

/** Hosts that bind every address. A socket of IPv6 that is bound to all addresses accepts IPv4 connections too. */
const EVERY_ADDRESS: readonly string[] = ["0.0.0.0", "::", "*"];
/** Errors of a machine without IPv6. */
const NO_IPV6: readonly (string | undefined)[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"];

async function listen(server: Server, address: string): Promise<void> {
  const [, named = "", port = ""] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  const host = named.replace(/^\[(.*)\]$/, "$1");
  const refuse = (value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `serve probes at ${address}`,
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
