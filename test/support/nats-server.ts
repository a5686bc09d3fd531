/**
 * A nats-server for a test. Where none is installed the suites that need one are skipped, with the reason printed; in CI
 * (`CI` set) its absence fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { type LocalNatsServer, startLocalNatsServer } from "../../src/runtime/nats/local-nats-server.ts";
import { locateTool, type ToolName } from "../../setup/index.ts";
import { cleanupOnExit } from "./cleanup-on-exit.ts";
import { type CuttableLink, openCuttableLink } from "./cuttable-link.ts";
import { waitFor } from "./wait-for.ts";

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

const EDGE_TOPOLOGY = new URL("../../deploy/k8s/overlays/edge/topology.conf", import.meta.url);

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

export interface ConfiguredNats extends AsyncDisposable {
  readonly port: number;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port and the same files. */
  start(): Promise<void>;
}

/**
 * A server with a configuration of the test's own: `host`, `port` and JetStream's folder are set, `lines` is the rest.
 *
 * @param isAwaited false: does not wait until it is ready
 * @param domain of its JetStream
 */
export async function startConfiguredNats(
  lines: readonly string[],
  {
    port,
    isAwaited = true,
    domain,
  }: { readonly port?: number; readonly isAwaited?: boolean; readonly domain?: string } = {},
): Promise<ConfiguredNats> {
  if (natsServerPath === undefined) throw new Error("no nats-server: use describeWithNats");
  const program = natsServerPath;
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-test-nats-"));
  const chosen = port ?? (await freePort());
  const config = join(folder, "server.conf");
  const pidFile = join(folder, "pid");
  const head = [`host: 127.0.0.1`, `port: ${chosen}`, `pid_file: ${JSON.stringify(pidFile)}`];
  const inDomain = domain === undefined ? "" : `, domain: ${domain}`;
  const store = `jetstream { store_dir: ${JSON.stringify(join(folder, "js"))}${inDomain} }`;
  await writeFile(config, [...head, store, ...lines, ""].join("\n"));
  const sweeper = cleanupOnExit(`kill -KILL $(cat ${pidFile}) 2>/dev/null; rm -rf ${folder}`);
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(program, ["--config", config], { stdio: "ignore", detached: true });
    child.unref();
    if (isAwaited) await waitFor(() => isListening(chosen), "the server");
  };
  const kill = async (): Promise<void> => {
    const dying = child;
    if (dying === undefined || dying.exitCode !== null || dying.signalCode !== null) return;
    const ended = new Promise((resolve) => dying.once("exit", resolve));
    dying.kill("SIGKILL");
    await ended;
  };
  await start();
  return {
    port: chosen,
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await kill();
      await sweeper[Symbol.asyncDispose]();
    },
  };
}

export interface NatsCluster extends AsyncDisposable {
  /** For `servers` of a connection. */
  readonly urls: readonly string[];
  /** By name: "n0", "n1", ... */
  readonly servers: Readonly<Record<string, ConfiguredNats>>;
}

/** Servers of one cluster, with JetStream. They may still be electing a leader. */
export async function startNatsCluster(count = 3): Promise<NatsCluster> {
  const ports: number[] = [];
  for (let i = 0; i < 2 * count; i += 1) ports.push(await freePort());
  const routes = ports.slice(count).map((port) => `nats://127.0.0.1:${port}`);
  const servers: Record<string, ConfiguredNats> = {};
  for (let i = 0; i < count; i += 1) {
    const cluster = `cluster { name: test, host: 127.0.0.1, port: ${ports[count + i]}, routes: [${routes.join(", ")}] }`;
    servers[`n${i}`] = await startConfiguredNats([`server_name: n${i}`, cluster], { port: ports[i] ?? 0 });
  }
  return {
    urls: ports.slice(0, count).map((port) => `nats://127.0.0.1:${port}`),
    servers,
    async [Symbol.asyncDispose]() {
      for (const server of Object.values(servers)) await server[Symbol.asyncDispose]();
    },
  };
}

export interface LeafPair extends AsyncDisposable {
  /** Of JetStream domain `hub`. */
  readonly hub: ConfiguredNats;
  /** A leaf node of the hub, of JetStream domain `edge`. */
  readonly leaf: ConfiguredNats;
  /** Between them. */
  readonly uplink: CuttableLink;
}

/** A site and its hub, as deploy/k8s/overlays/edge connects them. */
export async function startLeafPair(): Promise<LeafPair> {
  const leafPort = await freePort();
  // Not advertised: the leaf would dial the hub itself when its link is cut.
  const listener = `leafnodes { host: 127.0.0.1, port: ${leafPort}, no_advertise: true }`;
  const hub = await startConfiguredNats(["server_name: hub", listener], { domain: "hub" });
  const uplink = await openCuttableLink(leafPort);
  const leafnodes = await edgeLeafnodes(`nats-leaf://127.0.0.1:${uplink.port}`);
  const leaf = await startConfiguredNats(["server_name: leaf", leafnodes], { domain: "edge" });
  return {
    ...{ hub, leaf, uplink },
    async [Symbol.asyncDispose]() {
      await leaf[Symbol.asyncDispose]();
      await uplink[Symbol.asyncDispose]();
      await hub[Symbol.asyncDispose]();
    },
  };
}

/** The section `leafnodes` of a site's server, as deploy/k8s/overlays/edge has it, that dials `hub` at once. */
export async function edgeLeafnodes(hub: string): Promise<string> {
  const text = await readFile(EDGE_TOPOLOGY, "utf8");
  return text
    .slice(text.indexOf("leafnodes {"))
    .replace("include hub/remote.conf", `url: "${hub}"`)
    .replace("reconnect: 5s", "reconnect: 1s");
}

/** A port that was free just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (isOpen: boolean) => () => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", settle(true));
    socket.once("error", settle(false));
  });
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
