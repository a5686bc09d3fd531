/**
 * A node's HTTP endpoints for Kubernetes' probes and Prometheus.
 *
 * /healthz: the event loop runs; the answer itself is the proof, and it depends on nothing else. /startupz: the backend
 * is loaded and has computed. /readyz: the node is in its fleet; bus and store answer. /metrics: figures.
 */
import { createServer } from "node:http";
import { boundAddress, listen } from "../http/listen.ts";

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
  await listen(server, address, "serve probes");
  return {
    address: boundAddress(server),
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
