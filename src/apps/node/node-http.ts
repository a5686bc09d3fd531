/**
 * What a node answers over HTTP, for whoever looks after its process: Kubernetes' probes, and Prometheus.
 *
 * /healthz: the event loop turns; the answer itself is the proof, and it depends on nothing else. /startupz: the backend is
 * loaded and has computed. /readyz: the node is in its fleet; bus and store answer. /metrics: figures.
 */
import { createServer, type Server } from "node:http";
import { KnowledgeNetError } from "../../errors/index.ts";

export interface NodeHttpOptions {
  /** host:port; port 0 takes a free one. */
  readonly address: string;
}

export interface NodeHttpDeps {
  /** What is in the way of being started or ready; nothing: it is. */
  readonly starting: () => readonly string[];
  readonly unready: () => Promise<readonly string[]>;
  /** Prometheus' text format, and its media type. */
  readonly metrics: { readonly contentType: string; readonly text: () => Promise<string> };
}

export interface NodeHttp extends AsyncDisposable {
  /** host:port as it listens. */
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
          return [404, "text/plain", "there are /healthz, /readyz, /startupz and /metrics\n"];
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
    address: typeof at === "object" && at !== null ? `${at.address}:${at.port}` : address,
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

async function listen(server: Server, address: string): Promise<void> {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  const refuse = (value: string, cause?: unknown): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", {
      attempt: `answer probes at ${address}`,
      rule: "it must be host:port, of this machine and free",
      value,
      remedy: "for example --http 0.0.0.0:8080",
      ...(cause === undefined ? {} : { cause }),
    });
  if (host === "" || Number(port) > 65_535) throw refuse(address);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(refuse(error.message, error));
    });
    server.listen(Number(port), host.replace(/^\[(.*)\]$/, "$1"), resolve);
  });
}
