/**
 * `kn` inside the test's process: the real commands over a terminal of streams, an environment of its own, and a fleet
 * whose bus is in memory and whose store is a folder.
 */
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { ExecuteDeps } from "../../../../src/apps/cli/execute-run.ts";
import type { EndSignal } from "../../../../src/apps/cli/exit.ts";
import { runCli } from "../../../../src/apps/cli/main.ts";
import { createTerminal } from "../../../../src/apps/cli/terminal.ts";
import { type Fleet, openFleet } from "../../../../src/fleet/fleet.ts";
import { type NodeRecord, type RunRecordEntry, WIRE_VERSION } from "../../../../src/fleet/records.ts";
import type { RunStatus } from "../../../../src/fleet/run-status.ts";
import { parseSpec } from "../../../../src/run-spec/index.ts";
import { type Bus, memoryBus } from "../../../../src/runtime/bus/index.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock/index.ts";
import { fileStore } from "../../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

/** A net of two blocks, small enough to be trained in a second or two. */
export const TINY = `
kind: training
name: tiny
seed: 3
data: { dataset: mnist, limit: 640, holdout: 100 }
model:
  input: [28, 28, 1]
  classes: 10
  layers:
    - { name: scale, type: rescaling, scale: 0.00392156862745098 }
    - { name: flat, type: flatten }
    - { name: d1, type: dense, units: 16 }
    - { name: r1, type: re_lu }
    - { name: d2, type: dense, units: 10 }
  cuts: [r1]
training: { epochs: 1, batchSize: 64 }
evaluation: { samples: 200, batchSize: 100 }
`;

export interface CliEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly clock?: Clock;
  readonly connectFleet?: ExecuteDeps["connectFleet"];
  /** What a write to stdout fails with. */
  readonly stdoutError?: NodeJS.ErrnoException;
}

/** A stream that keeps what is written, or fails. */
export function textStream(
  failure?: () => NodeJS.ErrnoException | undefined,
): Writable & { readonly text: () => string } {
  let text = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const error = failure?.();
      if (error === undefined) text += chunk.toString();
      done(error);
    },
  });
  return Object.assign(stream, { text: () => text });
}

/** One `kn` command under way. */
export function startKn(argv: readonly string[], options: CliOptions = {}) {
  const stdout = textStream(() => options.stdoutError);
  const stderr = textStream();
  const signals = new EventEmitter();
  let exited: number | undefined;
  const terminal = createTerminal({
    stdout,
    stderr,
    signals,
    exit: (code) => {
      exited = code;
    },
  });
  const ended = runCli(argv, {
    terminal,
    clock: options.clock ?? systemClock(),
    env: options.env ?? {},
    softwareVersion: "0.1.0",
    connectFleet: options.connectFleet ?? (() => Promise.reject(new Error("this command needs no fleet"))),
  }).then((code): CliEnd => ({ code: exited ?? code, stdout: stdout.text(), stderr: stderr.text() }));
  return {
    ended,
    stdout: stdout.text,
    stderr: stderr.text,
    signal(name: EndSignal) {
      signals.emit(name);
    },
  };
}

export const kn = (argv: readonly string[], options?: CliOptions): Promise<CliEnd> => startKn(argv, options).ended;

export interface FleetScene extends AsyncDisposable {
  readonly bus: Bus;
  readonly fleet: Fleet;
  /** Folder of its store. */
  readonly storePath: string;
  /** Addresses that commands have connected to. */
  readonly addresses: string[];
  kn(argv: readonly string[], options?: CliOptions): Promise<CliEnd>;
  start(argv: readonly string[], options?: CliOptions): ReturnType<typeof startKn>;
}

export async function fleetOnMemory(): Promise<FleetScene> {
  const folder = await temporaryFolder();
  const bus = memoryBus();
  const storePath = join(folder.path, "store");
  const store = await fileStore({ directory: storePath });
  const fleet = await openFleet(store);
  const addresses: string[] = [];
  const connectFleet: ExecuteDeps["connectFleet"] = ({ address }) => {
    addresses.push(JSON.stringify(address));
    return Promise.resolve({ bus, fleet, [Symbol.asyncDispose]: () => Promise.resolve() });
  };
  return {
    bus,
    fleet,
    storePath,
    addresses,
    kn: (argv, options) => kn(argv, { connectFleet, ...options }),
    start: (argv, options) => startKn(argv, { connectFleet, ...options }),
    async [Symbol.asyncDispose]() {
      await store.close();
      await bus.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

export function nodeRecord(name: string, changes: Partial<NodeRecord> = {}): NodeRecord {
  return {
    format: 1,
    name,
    instance: `${name}-1`,
    labels: { tier: "edge" },
    backend: "wasm",
    backendVersion: "4.22.0",
    cores: 2,
    memoryBytes: 2 ** 30,
    gflops: 50,
    softwareVersion: "0.1.0",
    wireVersion: WIRE_VERSION,
    host: "here",
    pid: 1,
    startedAt: "2026-01-01T00:00:00.000Z",
    ...changes,
  };
}

export function runRecord(run: string, changes: Partial<RunRecordEntry> = {}): RunRecordEntry {
  const slice = { inputShape: [784], outputShape: [16], layers: ["d1"], parameters: 10, macs: 100 };
  return {
    format: 1,
    run,
    wireVersion: WIRE_VERSION,
    desired: "running",
    spec: parseSpec(TINY, { file: "tiny.yaml" }),
    slices: [slice, slice],
    teacherSlices: [],
    phases: [{ phase: "training", epochs: 1, totalSteps: 10, startAfter: 0 }],
    phase: "training",
    dataset: "sha256:0",
    attempt: 1,
    actors: { coordinator: "a", feeder: "a", "block-0": "a", "block-1": "b", "gradient-0": "a" },
    createdAt: "2026-01-01T00:00:00.000Z",
    ...changes,
  };
}

export function runStatus(run: string, changes: Partial<RunStatus> = {}): RunStatus {
  return {
    format: 2,
    run,
    attempt: 1,
    phase: "training",
    done: [],
    state: "feeding",
    control: "coordinating.running",
    fence: 1,
    coordinator: "a",
    published: 7,
    record: {
      evaluations: [{ evaluation: 1, step: 5, samples: 200, accuracy: 0.5, loss: 1.5, atMs: 1 }],
      switches: [],
      teachers: [],
      counts: { evaluations: 1, switches: 0, teachers: 0 },
      progress: {},
      epochs: 0,
      step: 7,
      generation: 5,
    },
    seconds: 3,
    startedAt: "2026-01-01T00:00:00.000Z",
    updatedAt: "2026-01-01T00:00:03.000Z",
    ...changes,
  };
}
