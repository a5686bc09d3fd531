/**
 * A training run in four processes under faults: slow links, a slow node, a killed node, a restarted server. Returns
 * the result of the run and the violated invariants (audit.ts).
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { BackendPreference } from "../../../src/compute/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { parseTrainingSpec, TRAINING } from "../../../src/run-spec/index.ts";
import { createCpuLimit } from "../../faults/limit-cpu.ts";
import { connectFleet } from "../../../src/apps/connect/connect-fleet.ts";
import { awaitOutcome, launchRun } from "../../../src/fleet/launch.ts";
import type { RunRecordEntry } from "../../../src/fleet/records.ts";
import type { RunStatus } from "../../../src/fleet/run-status.ts";
import { type SpawnedFleet, spawnFleet } from "../../../src/apps/connect/spawned-fleet.ts";
import { type LocalNatsServer, startLocalNatsServer } from "../../../src/runtime/nats/local-nats-server.ts";
import { type Delay, type Link, startLocalToxiproxy } from "../../faults/local-toxiproxy.ts";
import { locateTool } from "../../../setup/index.ts";
import { actorsOf, planOf } from "../../../src/jobs/run-plan.ts";
import { describeSlices } from "../../../src/jobs/describe-slices.ts";
import { openDataset } from "../../../src/apps/open-dataset.ts";
import { createAudit } from "./audit.ts";

interface Kill {
  readonly block: number;
  readonly at: number;
  /** @default "SIGKILL" */
  readonly signal?: NodeJS.Signals;
}

/** `at`, `from` and `to` are times of the run: shares of its steps, 0 to 1. */
export interface FaultyRunOptions {
  /** Spec file, and overrides of it. */
  readonly spec: string;
  readonly set: readonly string[];
  /** Folder for everything; new. */
  readonly folder: string;
  readonly backend?: BackendPreference;
  /** On every link, each direction. */
  readonly delay?: Delay;
  /** The node of this block gets this share of a core between `from` and `to`. */
  readonly throttle?: { readonly block: number; readonly cores: number; readonly from: number; readonly to: number };
  /** The node of this block gets the signal, and is started again by its keeper. */
  readonly kills?: readonly Kill[];
  /** The node of this block is suspended, until another has taken its place. */
  readonly pause?: { readonly block: number; readonly at: number };
  /** The server is killed and started again, with its JetStream store or without. */
  readonly serverRestart?: { readonly at: number; readonly keepsStore: boolean };
  readonly onEvent?: (line: string) => void;
}

export interface BlockAccount {
  readonly actor: string;
  readonly published: number;
  readonly applied: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly drops: Readonly<Record<string, number>>;
}

export interface FaultyRunResult {
  readonly outcome: RunStatus["outcome"];
  readonly accuracy: number;
  readonly steps: number;
  readonly totalSteps: number;
  readonly seconds: number;
  readonly accounts: readonly BlockAccount[];
  /** Violated invariants; empty: none. */
  readonly violations: readonly string[];
  readonly checked: number;
  readonly incarnations: Readonly<Record<string, number>>;
  /** Injected faults, with the time, s. */
  readonly events: readonly string[];
}

/**
 * All of it at once: 0 to 200 ms on every link in each direction, a block at a tenth of a core for the middle third,
 * another killed half way, the server killed and restarted at four fifths.
 */
export function faultScheduleOf(epochs: number): Omit<FaultyRunOptions, "spec" | "folder"> {
  return {
    // A window that covers the round trip, and room for batches in flight.
    set: [`training.epochs=${epochs}`, "flow.window=16", "gradients.retain=32"],
    delay: { latencyMs: 100, jitterMs: 100 },
    throttle: { block: 1, cores: 0.1, from: 1 / 3, to: 2 / 3 },
    kills: [{ block: 2, at: 0.5 }],
    serverRestart: { at: 0.8, keepsStore: true },
  };
}

const NODES = 4;
const JOIN_DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 200;

export async function runWithFaults(options: FaultyRunOptions): Promise<FaultyRunResult> {
  const clock = systemClock();
  const { folder, delay } = options;
  await mkdir(folder, { recursive: true });
  const spec = parseTrainingSpec(await readFile(options.spec, "utf8"), { file: options.spec, set: options.set });
  const dataset = await openDataset({ data: spec.data, env: process.env });
  const described = await describeSlices(spec);
  const plan = planOf(spec, dataset, TRAINING);

  let server: LocalNatsServer = await startServer(folder, "jetstream", -1);
  const { port, url } = server;
  await using toxiproxy = delay === undefined ? undefined : await startLocalToxiproxy(process.env);
  const links = new Map<string, Link>();
  for (let index = 1; toxiproxy !== undefined && index <= NODES; index += 1) {
    links.set(`node-${index}`, await toxiproxy.link(`node-${index}`, `127.0.0.1:${port}`));
  }
  await using ownedFleet: SpawnedFleet = await spawnFleet(
    {
      nodes: NODES,
      folder,
      backend: options.backend ?? "auto",
      address: url,
      addressOf: (node, address) => links.get(node)?.url ?? address,
      env: process.env,
    },
    { clock },
  );
  try {
    await using connected = await connectFleet({ address: url, name: "kn faults" }, { log: silentLogger });
    const { bus, fleet } = connected;
    await until(
      clock,
      "every node has joined",
      JOIN_DEADLINE_MS,
      async () => (await fleet.nodes.all()).length === NODES,
    );
    const record = await launchRun({ run: "faults", spec, ...described, dataset }, fleet, clock);

    const startedMs = clock.now();
    const events: string[] = [];
    const happened = (what: string): void => {
      const line = `${((clock.now() - startedMs) / 1000).toFixed(1)} s, step ${step}: ${what}`;
      events.push(line);
      options.onEvent?.(line);
    };
    const { learners: blocks } = actorsOf(spec, TRAINING);
    const lastBlock = blocks.at(-1) ?? "";
    const audit = createAudit();
    let step = 0;
    const watching = createControlChannel({ run: "faults", actor: "audit" }, { bus, log: silentLogger }).watch(
      "*",
      (event) => {
        audit.observe(event);
        if (event.header.sender === lastBlock) step = Math.max(step, event.header.step);
      },
    );
    for (const link of links.values()) if (delay !== undefined) await link.delay(delay);

    const ending = new AbortController();
    const at = (share: number): Promise<void> =>
      until(
        clock,
        `step ${Math.ceil(share * plan.totalSteps)}`,
        Infinity,
        () => step >= share * plan.totalSteps,
        ending.signal,
      );
    const nodeOf = (block: number, of: RunRecordEntry = record): string => of.actors[`block-${block}`] ?? "";
    const pidOf = (node: string): number => {
      const pid = ownedFleet.nodes.find(({ name }) => name === node)?.pid;
      if (pid !== undefined) return pid;
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: `break ${node}`,
        rule: "its process must be there",
        value: "between two processes",
      });
    };

    const throttle = async (): Promise<void> => {
      if (options.throttle === undefined) return;
      const { block, cores, from, to } = options.throttle;
      await at(from);
      await using limit = await createCpuLimit("faults", cores);
      await limit.add(pidOf(nodeOf(block)));
      happened(`block-${block} gets ${cores} of a core`);
      await at(to).finally(() => limit.set(availableCores));
      happened(`block-${block} is as fast as before`);
    };
    const kill = async ({ block, at: share, signal = "SIGKILL" }: Kill): Promise<void> => {
      await at(share);
      process.kill(pidOf(nodeOf(block)), signal);
      happened(`block-${block} gets ${signal}`);
    };
    const pause = async (): Promise<void> => {
      if (options.pause === undefined) return;
      const { block, at: share } = options.pause;
      await at(share);
      const node = nodeOf(block);
      const pid = pidOf(node);
      process.kill(pid, "SIGSTOP");
      happened(`block-${block} suspended`);
      const moved = async (): Promise<boolean> => {
        const now = await fleet.runs.get("faults");
        return now !== undefined && nodeOf(block, now.value) !== node;
      };
      const stepBefore = step;
      await until(clock, `block-${block} has moved`, Infinity, moved, ending.signal);
      await until(clock, "the run continues", Infinity, () => step > stepBefore + 10, ending.signal);
      process.kill(pid, "SIGCONT");
      happened(`the former block-${block} wakes`);
    };
    const restartServer = async (): Promise<void> => {
      if (options.serverRestart === undefined) return;
      const { at: share, keepsStore } = options.serverRestart;
      await at(share);
      await server.kill();
      happened("nats-server killed");
      server = await startServer(folder, keepsStore ? "jetstream" : "jetstream-new", port);
      happened(`nats-server is back${keepsStore ? "" : " without its store"}`);
    };
    const breaking = Promise.all([throttle(), ...(options.kills ?? []).map(kill), pause(), restartServer()]);
    // An error of the fault injection ends the wait; the end of the wait cancels the remaining faults.
    breaking.catch((error: unknown) => {
      ending.abort(error);
    });
    const status = await awaitOutcome(record, { fleet, clock }, () => undefined, ending.signal);
    await breaking.catch((error: unknown) => {
      if (ending.signal.aborted) throw error;
    });
    watching.unsubscribe();

    const whole = status.record.evaluations.filter(({ samples }) => samples === dataset.validation.count).at(-1);
    return {
      outcome: status.outcome,
      accuracy: whole?.accuracy ?? 0,
      steps: status.record.step,
      totalSteps: plan.totalSteps,
      seconds: status.seconds,
      accounts: blocks.map((actor) => {
        const { applied = 0, skipped = {}, drops = {}, step: published = 0 } = status.record.progress[actor] ?? {};
        return { actor, published, applied, skipped, drops };
      }),
      violations: audit.violations,
      checked: audit.checked,
      incarnations: audit.incarnations,
      events,
    };
  } finally {
    await ownedFleet[Symbol.asyncDispose]();
    await server.stop();
  }
}

/** More than any machine here has: no limit. */
const availableCores = 64;

async function startServer(folder: string, store: string, port: number): Promise<LocalNatsServer> {
  const binary = locateTool("nats-server", process.env);
  if (binary === undefined) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "start a nats-server",
      rule: "nats-server 2.12 or later must be there",
      value: "none found",
      remedy: "run `npm run setup`",
    });
  }
  return startLocalNatsServer({ binary, jetstreamDir: join(folder, store), port });
}

/** Resolves when `isReached` holds. Rejects with KN_UNAVAILABLE after `deadlineMs`, with `signal.reason` on abort. */
async function until(
  clock: Clock,
  what: string,
  deadlineMs: number,
  isReached: () => boolean | Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  const lastMs = clock.now() + deadlineMs;
  while (!(await Promise.resolve(isReached()).catch(() => false))) {
    if (clock.now() > lastMs) {
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: `wait until ${what}`,
        rule: `it must come within ${deadlineMs} ms`,
      });
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}
