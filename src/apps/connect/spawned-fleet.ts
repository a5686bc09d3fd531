/**
 * A fleet of child processes on this machine: a NATS server and some nodes, started, supervised and ended together. A
 * node that exits is restarted, as by an operator or Kubernetes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { BackendPreference } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { startLocalNatsServer } from "../../runtime/nats/local-nats-server.ts";
import { locateTool, PACKAGE_ROOT, setupCommand } from "../../../setup/index.ts";

export interface SpawnedFleetOptions {
  readonly nodes: number;
  /** Logs, checkpoints and JetStream's files; the same folder again continues with its contents. */
  readonly folder: string;
  readonly backend: BackendPreference;
  /** Folder of the data, passed to each node. */
  readonly data?: string;
  /** A running server; omitted: a private one. */
  readonly address?: string;
  /** The server's address for one node: over a slow link. @default the server's own */
  readonly addressOf?: (node: string, address: string) => string;
  /** Called at each start of a node. */
  readonly onStart?: (node: string, pid: number) => void;
  readonly env: NodeJS.ProcessEnv;
}

export interface SpawnedNode {
  readonly name: string;
  /** Number of its current process. */
  readonly pid: number | undefined;
  /** Number of processes started so far. */
  readonly starts: number;
}

export interface SpawnedFleet extends AsyncDisposable {
  readonly address: string;
  readonly nodes: readonly SpawnedNode[];
}

/** Back-off before a node that ended is restarted, ms. */
const RESPAWN_MS = 500;
/** Time to drain before the kill, ms. */
const LEAVE_TIMEOUT_MS = 10_000;
/** Longest back-off, ms: a restart does not remove the cause of repeated exits. */
const MAX_RESPAWN_MS = 30_000;
/** A process that ran this long resets the back-off, ms. */
const GOOD_LIFE_MS = 2_000;

const KN = join(PACKAGE_ROOT, "bin", "kn.js");

/** Starts everything; nodes join when they are ready. Rejects with KN_UNAVAILABLE when the server cannot be started. */
export async function spawnFleet(
  options: SpawnedFleetOptions,
  { clock }: { readonly clock: Clock },
): Promise<SpawnedFleet> {
  const { folder, env } = options;
  await mkdir(folder, { recursive: true });
  const server = options.address === undefined ? await startServer(join(folder, "jetstream"), env) : undefined;
  const address = options.address ?? server?.url ?? "";
  const stopping = new AbortController();
  const nodes = Array.from({ length: options.nodes }, (_, index) =>
    keepNode(`node-${index + 1}`, {
      ...options,
      address: options.addressOf?.(`node-${index + 1}`, address) ?? address,
      clock,
      signal: stopping.signal,
    }),
  );
  return {
    address,
    nodes,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(nodes.map((node) => node.ended));
      await server?.stop();
    },
  };
}

async function startServer(jetstreamDir: string, env: NodeJS.ProcessEnv) {
  const binary = locateTool("nats-server", env);
  if (binary === undefined) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "start a nats-server for the nodes",
      rule: "nats-server 2.12 or later must be installed",
      value: "none found",
      remedy: `run \`${setupCommand()}\`, or use a running server: --bus nats://host:4222`,
    });
  }
  return startLocalNatsServer({ binary, jetstreamDir });
}

interface KeepNodeOptions extends SpawnedFleetOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

function keepNode(name: string, options: KeepNodeOptions): SpawnedNode & { readonly ended: Promise<void> } {
  const { folder, backend, data, address, env, clock, signal } = options;
  let child: ChildProcess | undefined;
  let starts = 0;

  const live = async (): Promise<void> => {
    const args = ["node", "--name", name, "--state", join(folder, "nodes"), "--backend", backend];
    if (data !== undefined) args.push("--data", data);
    // A process group of its own: Ctrl-C reaches this process first, and the save that follows needs the nodes. A node
    // ends with the pipe. The address may hold a password, which an argument would show to every user of the machine.
    const spawned = spawn(process.execPath, [KN, ...args, "--exit-with-stdin"], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      env: { ...env, KN_BUS: address },
    });
    child = spawned;
    starts += 1;
    if (spawned.pid !== undefined) options.onStart?.(name, spawned.pid);
    const out = createWriteStream(join(folder, `${name}.out`), { flags: "a" });
    out.on("error", () => {
      // A full disk: the node's output is lost, the node and this process are not.
      for (const stream of [spawned.stdout, spawned.stderr]) {
        stream.unpipe(out);
        stream.resume();
      }
    });
    spawned.stdout.pipe(out, { end: false });
    spawned.stderr.pipe(out, { end: false });
    spawned.stdin.on("error", () => undefined); // it may have exited already
    const exited = new Promise<void>((resolve) => {
      spawned.once("error", () => {
        resolve();
      });
      spawned.once("close", () => {
        resolve();
      });
    });
    const leave = (): void => {
      spawned.kill("SIGTERM");
      setTimeout(() => spawned.kill("SIGKILL"), LEAVE_TIMEOUT_MS).unref();
    };
    signal.addEventListener("abort", leave, { once: true });
    await exited;
    signal.removeEventListener("abort", leave);
    out.end();
    child = undefined;
  };

  const keep = async (): Promise<void> => {
    let pauseMs = RESPAWN_MS;
    while (!signal.aborted) {
      const startedMs = clock.now();
      await live();
      pauseMs = clock.now() - startedMs >= GOOD_LIFE_MS ? RESPAWN_MS : Math.min(2 * pauseMs, MAX_RESPAWN_MS);
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  };

  return {
    name,
    get pid() {
      return child?.pid;
    },
    get starts() {
      return starts;
    },
    ended: keep(),
  };
}
