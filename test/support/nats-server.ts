/**
 * A nats-server for a test. Where none is installed the suites that need one are skipped, with the reason printed; in CI
 * (`CI` set) its absence fails.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { type LocalNatsServer, startLocalNatsServer } from "../../src/runtime/nats/local-nats-server.ts";
import { locateTool, type ToolName } from "../../setup/index.ts";

export interface TestNatsOptions {
  /** @default false */
  readonly jetstream?: boolean;
  readonly maxPayloadBytes?: number;
}

export interface TestNats extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Kills the process. */
  crash(): Promise<void>;
  /** Starts it again on the same port and the same files. */
  restart(): Promise<void>;
}

export const natsServerPath = locate("nats-server");
export const natsCliPath = locate("nats");

/** `describe` that needs a nats-server. */
export const describeWithNats = needs("nats-server", natsServerPath);
/** `describe` that needs a nats-server and the `nats` command. */
export const describeWithNatsCli = needs("nats", natsServerPath === undefined ? undefined : natsCliPath);

export async function startTestNats(options: TestNatsOptions = {}): Promise<TestNats> {
  if (natsServerPath === undefined) throw new Error("no nats-server: use describeWithNats");
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-test-nats-"));
  const start = (port: number): Promise<LocalNatsServer> =>
    startLocalNatsServer({
      binary: natsServerPath ?? "",
      port,
      ...(options.jetstream === true ? { jetstreamDir: folder } : {}),
      ...(options.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: options.maxPayloadBytes }),
    });
  let server = await start(0);
  const { url, port } = server;
  return {
    url,
    get pid() {
      return server.pid;
    },
    crash: () => server.kill(),
    async restart() {
      await server.kill();
      server = await start(port);
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function locate(name: ToolName): string | undefined {
  return locateTool(name, process.env);
}

function needs(name: string, path: string | undefined): typeof describe | typeof describe.skip {
  if (path !== undefined) return describe;
  const reason = `${name} is not installed: run \`npm run setup\``;
  if (process.env["CI"] !== undefined && process.env["CI"] !== "") throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return describe.skip;
}
