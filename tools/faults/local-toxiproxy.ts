/**
 * Slow and broken links for tests and measurements: a toxiproxy of our own and, per link, a port that leads to a server
 * by way of it. Delays are per direction; a link keeps the order of what goes through it, whatever the jitter.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";
import { z } from "zod";
import { KnowledgeNetError } from "../../src/errors/index.ts";
import { locateTool } from "../../setup/index.ts";

export interface Delay {
  /** One way, ms. */
  readonly latencyMs: number;
  /** The delay of each piece of data is within this of `latencyMs`, ms. @default 0 */
  readonly jitterMs?: number;
}

export interface Link {
  /** `nats://127.0.0.1:<port>`, by way of the link. */
  readonly url: string;
  /** Delays both directions; takes the place of the delay before. */
  delay(delay: Delay): Promise<void>;
  /** Ends every connection and accepts none, until `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
}

export interface LocalToxiproxy extends AsyncDisposable {
  /** @param upstream `host:port` behind the link */
  link(name: string, upstream: string): Promise<Link>;
}

const READY_TIMEOUT_MS = 10_000;
const proxySchema = z.object({ listen: z.string() });

/** Rejects with KN_UNAVAILABLE when toxiproxy is absent or does not come up. */
export async function startLocalToxiproxy(env: NodeJS.ProcessEnv): Promise<LocalToxiproxy> {
  const binary = locateTool("toxiproxy-server", env);
  if (binary === undefined) throw unavailable("toxiproxy-server 2 must be there", "none found");
  const port = await freePort();
  const child = spawn(binary, ["-host", "127.0.0.1", "-port", String(port)], { stdio: "ignore" });
  const onExit = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", onExit);
  const api = `http://127.0.0.1:${port}`;
  await ready(child, api);

  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${api}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok && response.status !== 404) throw unavailable(`${method} ${path} must succeed`, text);
    return text === "" ? undefined : JSON.parse(text);
  };

  return {
    async link(name, upstream) {
      const { listen } = proxySchema.parse(
        await ask("POST", "/proxies", { name, upstream, listen: "127.0.0.1:0", enabled: true }),
      );
      // Fixed from now on: a link that is cut and restored keeps its port.
      await ask("POST", `/proxies/${name}`, { listen, upstream, enabled: true });
      return {
        url: `nats://${listen}`,
        async delay({ latencyMs, jitterMs = 0 }) {
          for (const stream of ["upstream", "downstream"]) {
            const toxic = `latency-${stream}`;
            await ask("DELETE", `/proxies/${name}/toxics/${toxic}`);
            const attributes = { latency: latencyMs, jitter: jitterMs };
            await ask("POST", `/proxies/${name}/toxics`, { name: toxic, type: "latency", stream, attributes });
          }
        },
        async cut() {
          await ask("POST", `/proxies/${name}`, { enabled: false });
        },
        async restore() {
          await ask("POST", `/proxies/${name}`, { enabled: true });
        },
      };
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", onExit);
      const closed = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGTERM");
      await closed;
    },
  };
}

async function ready(child: ChildProcess, api: string): Promise<void> {
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  for (const deadline = performance.now() + READY_TIMEOUT_MS; ; ) {
    const answered = await fetch(`${api}/version`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return;
    if (failure !== undefined || child.exitCode !== null || performance.now() > deadline) {
      throw unavailable("it must come up", failure?.message ?? `exit code ${child.exitCode}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that was free a moment ago: toxiproxy does not report the port that it chose. */
async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}

function unavailable(rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: "start toxiproxy",
    rule,
    value,
    remedy: "run `npm run setup`",
  });
}
