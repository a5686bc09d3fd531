/**
 * Running another program: the port through which provisioning reaches pip, Go, npm and the compiler, and its adapter
 * on `node:child_process`. Neither throws for a program that is absent, fails or takes too long: see the result.
 */
import { spawn } from "node:child_process";

export interface ExecOptions {
  readonly cwd?: string;
  /** The whole environment of the child. @default the host's */
  readonly env?: Environment;
  /** The child is killed after this long, ms. @default 60000 */
  readonly timeoutMs?: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ExecResult {
  readonly outcome: "exited" | "not-found" | "timed-out";
  /** Exit code; `undefined` unless the program ended by itself. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type Exec = (command: string, args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;

/** Output kept per stream, from its end: errors come last. */
const KEPT_CHARACTERS = 65_536;
const DEFAULT_TIMEOUT_MS = 60_000;

export const spawnExec: Exec = (command, args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    const finish = (outcome: ExecResult["outcome"], code?: number): void => {
      clearTimeout(timer);
      resolve({ outcome, code, stdout, stderr });
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      // Grandchildren may keep the pipes open: do not wait for `close`.
      child.stdout.destroy();
      child.stderr.destroy();
      finish("timed-out");
    }, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout = (stdout + text).slice(-KEPT_CHARACTERS);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-KEPT_CHARACTERS);
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      stderr += error.message;
      // ENOENT also means an absent `cwd`; both come down to "cannot be run here".
      finish("not-found");
    });
    child.on("close", (code, signal) => {
      if (signal !== null) stderr += `\nended by ${signal}`;
      finish("exited", code ?? 1);
    });
  });

export function succeeded(result: ExecResult): boolean {
  return result.outcome === "exited" && result.code === 0;
}

/** The cause of a program's failure in one line: its line with an error, else the last one. */
export function failureLine(result: ExecResult): string {
  if (result.outcome === "timed-out") return "it took too long";
  const lines = (result.stderr.trim() === "" ? result.stdout : result.stderr)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // Tools wrap the cause ("stack Error: failed to execute ..."): the first line that names an error is the nearest to
  // it.
  const telling =
    lines.find((line) => /^(\w*error|fatal)\b[^:]*:/i.test(line)) ??
    lines.find((line) => /\b(error|fatal|denied|forbidden|not found|no matching)\b/i.test(line));
  return (telling ?? lines.at(-1) ?? `exit code ${String(result.code)}`).slice(0, 240);
}
