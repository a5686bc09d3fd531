/** `kn` as a process of a scene: started until it says that it is ready, ended by SIGTERM. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { PACKAGE_ROOT } from "../../../setup/index.ts";

/** From the start until it is ready, and until a server answers, ms. */
export const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
/** Of its output, characters that are remembered. */
const KEPT_OUTPUT = 10_000;

export interface KnProcessOptions {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its first group is `said`. */
  readonly ready: RegExp;
  readonly onOutput: (text: string) => void;
  /** 0 to 19, of all of its threads. @default 0 */
  readonly niceness?: number;
}

export interface KnProcess {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly said: string;
  /** Undefined while it runs. */
  readonly failure: KnowledgeNetError | undefined;
  /** SIGTERM, and SIGKILL if that does not end it. */
  stop(): Promise<void>;
}

/** Rejects with KN_UNAVAILABLE when it ends, or is not ready within `START_TIMEOUT_MS`. */
export async function startKn(options: KnProcessOptions): Promise<KnProcess> {
  const { args, env, ready, onOutput, niceness = 0 } = options;
  // Not setPriority, which is for one thread.
  const kn = ["-n", String(niceness), process.execPath, join(PACKAGE_ROOT, "bin", "kn.js")];
  const child = spawn("nice", [...kn, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let output = "";
  const failed = (rule: string, value: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_UNAVAILABLE", { attempt: `run kn ${args[0] ?? ""}`, rule, value });
  let failure: KnowledgeNetError | undefined;
  const said = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(failed(`it must be ready within ${START_TIMEOUT_MS} ms`, output));
    }, START_TIMEOUT_MS);
    const onText = (text: Buffer): void => {
      onOutput(text.toString("utf8"));
      output = (output + text.toString("utf8")).slice(-KEPT_OUTPUT);
      const found = ready.exec(output)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout.on("data", onText);
    child.stderr.on("data", onText);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      failure = failed("it must run until it is stopped", `it ended with ${code}: ${output}`);
      reject(failure);
    });
  }).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  return {
    pid: child.pid ?? 0,
    said,
    get failure() {
      return failure;
    },
    stop: () => stopped(child),
  };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await closed;
  clearTimeout(timer);
}
