/**
 * A child process that is kept running: started again when it exits, as by an operator or Kubernetes, its output in a file,
 * and ended with its parent, which holds the other end of its stdin.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import process from "node:process";
import type { Clock } from "../../runtime/clock/index.ts";

export interface KeptProcessOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** File that its output is added to. */
  readonly output: string;
  /** Time to leave before the kill, ms. */
  readonly leaveTimeoutMs: number;
  /** Called at each start. */
  readonly onStart?: (pid: number) => void;
}

export interface KeptProcess extends AsyncDisposable {
  /** Number of the current process. */
  readonly pid: number | undefined;
  /** Processes started so far. */
  readonly starts: number;
  /** Resolves when it was told to leave and has ended. */
  readonly ended: Promise<void>;
}

/** Back-off before a process that ended is started again, ms. */
const RESPAWN_MS = 500;
/** Longest back-off, ms: a restart does not remove the cause of repeated exits. */
const MAX_RESPAWN_MS = 30_000;
/** A process that ran this long resets the back-off, ms. */
const GOOD_LIFE_MS = 2_000;

export function keepProcess(
  { file, args, env, output, leaveTimeoutMs, onStart }: KeptProcessOptions,
  { clock }: { readonly clock: Clock },
): KeptProcess {
  const stopping = new AbortController();
  const { signal } = stopping;
  let child: ChildProcess | undefined;
  let starts = 0;

  const live = async (): Promise<void> => {
    // A process group of its own: Ctrl-C reaches this process first, and its end needs the child.
    const spawned = spawn(process.execPath, [file, ...args], { stdio: ["pipe", "pipe", "pipe"], detached: true, env });
    child = spawned;
    starts += 1;
    if (spawned.pid !== undefined) onStart?.(spawned.pid);
    const out = createWriteStream(output, { flags: "a" });
    out.on("error", () => {
      // A full disk: the output is lost, the child and this process are not.
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
      setTimeout(() => spawned.kill("SIGKILL"), leaveTimeoutMs).unref();
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
  const ended = keep();

  return {
    get pid() {
      return child?.pid;
    },
    get starts() {
      return starts;
    },
    ended,
    [Symbol.asyncDispose]() {
      stopping.abort();
      return ended;
    },
  };
}
