/**
 * A fleet of child processes on this machine: a NATS server and some nodes, started, supervised and ended together. What
 * exits is restarted, as by an operator or Kubernetes.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BackendPreference } from "../../compute/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import { keepProcess } from "./kept-process.ts";
import { keepServer } from "./kept-server.ts";
import { PACKAGE_ROOT } from "../../../setup/index.ts";
import { natsServerBinary } from "./nats-server-binary.ts";

export interface SpawnedFleetOptions {
  readonly nodes: number;
  /** Logs, checkpoints and JetStream's files; the same folder again continues with its contents. */
  readonly folder: string;
  readonly backend: BackendPreference;
  /** Folder of the data, passed to each node. */
  readonly data?: string;
  /** Folder of the models for the replicas of the nodes. @default the store of the server */
  readonly models?: string;
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

/** JetStream's files, in the fleet's folder. */
export const JETSTREAM_FOLDER = "jetstream";
/** Time to drain before the kill, ms. */
const LEAVE_TIMEOUT_MS = 10_000;
const KN = join(PACKAGE_ROOT, "bin", "kn.js");

/** Starts everything; nodes join when they are ready. Rejects with KN_UNAVAILABLE when the server cannot be started. */
export async function spawnFleet(
  options: SpawnedFleetOptions,
  { clock }: { readonly clock: Clock },
): Promise<SpawnedFleet> {
  const { folder, env } = options;
  await mkdir(folder, { recursive: true });
  const server =
    options.address === undefined
      ? await keepServer(
          { binary: natsServerBinary("for the nodes", env), jetstreamDir: join(folder, JETSTREAM_FOLDER) },
          { clock },
        )
      : undefined;
  const address = options.address ?? server?.url ?? "";
  const nodes = Array.from({ length: options.nodes }, (_, index) =>
    keepNode(`node-${index + 1}`, {
      ...options,
      address: options.addressOf?.(`node-${index + 1}`, address) ?? address,
      clock,
    }),
  );
  return {
    address,
    nodes,
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
      await server?.[Symbol.asyncDispose]();
    },
  };
}

interface KeepNodeOptions extends SpawnedFleetOptions {
  readonly address: string;
  readonly clock: Clock;
}

function keepNode(name: string, options: KeepNodeOptions): SpawnedNode & AsyncDisposable {
  const { folder, backend, data, models, address, env, clock } = options;
  const args = ["node", "--name", name, "--state", join(folder, "nodes"), "--backend", backend];
  if (data !== undefined) args.push("--data", data);
  if (models !== undefined) args.push("--models", models);
  const kept = keepProcess(
    {
      file: KN,
      args: [...args, "--exit-with-stdin"],
      // The address may hold a password, which an argument would show to every user of the machine.
      env: { ...env, KN_BUS: address },
      output: join(folder, `${name}.out`),
      leaveTimeoutMs: LEAVE_TIMEOUT_MS,
      onStart: (pid) => options.onStart?.(name, pid),
    },
    { clock },
  );
  return {
    name,
    get pid() {
      return kept.pid;
    },
    get starts() {
      return kept.starts;
    },
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}
