/** Starts the generator in a process of its own. It is compiled: `scripts/ensure-built.js` before. */
import { fork } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { PACKAGE_ROOT } from "../../../setup/index.ts";
import type { LoadOptions, ToGenerator } from "./load-options.ts";
import type { LoadResult, Mark } from "./load-records.ts";
import { monotonicMs } from "./monotonic.ts";
import { type LoadReport, reportOf, type ReportOptions } from "./report.ts";

const ENTRY = join(PACKAGE_ROOT, "dist", "tools", "serving", "load", "main.js");

export interface RunningLoad extends AsyncDisposable {
  /** Of the generator's process. */
  readonly pid: number;
  /** Something happens now: latencies near it are told from the others. @param atMs in `monotonicMs` */
  mark(name: string, atMs?: number): void;
  /** Sends no more; what is in flight is awaited. */
  stop(): void;
  /** Rejects when the process fails. */
  readonly ended: Promise<LoadResult>;
}

export interface StartOptions {
  /** Program and arguments that start another program somewhere else, as `nsenter -t 1 -n` does. @default here */
  readonly enter?: readonly string[];
}

export function startLoad(options: LoadOptions, { enter: [program, ...words] = [] }: StartOptions = {}): RunningLoad {
  const child = fork(ENTRY, [], {
    serialization: "advanced",
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    ...(program === undefined ? {} : { execPath: program, execArgv: [...words, process.execPath] }),
  });
  const marks: Mark[] = [];
  const errors: Buffer[] = [];
  child.stderr?.on("data", (part: Buffer) => errors.push(part));
  const say = (message: ToGenerator): void => {
    if (child.connected) child.send(message);
  };
  const ended = new Promise<LoadResult>((resolve, reject) => {
    child.on("message", (result) => {
      resolve({ ...(result as LoadResult), marks });
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const text = Buffer.concat(errors).toString("utf8");
      reject(new Error(`the load generator ended with ${code ?? signal} before its result: ${text}`));
    });
  });
  ended.catch(() => undefined); // for the caller that stops before it looks
  say({ kind: "start", options });
  return {
    pid: child.pid ?? 0,
    mark(name, atMs = monotonicMs()) {
      marks.push({ name, atMs });
    },
    stop() {
      say({ kind: "stop" });
    },
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await closed;
    },
  };
}

/** The whole load, and its figures. */
export async function runLoad(options: LoadOptions, reporting: ReportOptions = {}): Promise<LoadReport> {
  await using load = startLoad(options);
  return await reportOf(await load.ended, reporting);
}
