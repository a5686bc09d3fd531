/** kubectl on the suite's cluster, and what else must run where it runs. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { inject } from "vitest";
import { waitFor } from "../wait-for.ts";

const run = promisify(execFile);
const SAID_CHARACTERS = 20_000;

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Never rejects: the exit code tells. */
export async function tryKubectl(args: readonly string[], input?: string): Promise<Said> {
  const [program, ...first] = inject("kubectl");
  return await new Promise((resolve) => {
    const child = execFile(program, [...first, ...args], { maxBuffer: 1e8 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** Rejects with what it said. @returns its output */
export async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await tryKubectl(args);
  if (code === 0) return stdout;
  throw new Error(`kubectl ${args.join(" ")}: ${stderr.slice(-SAID_CHARACTERS)}`);
}

/** Applies objects given as JSON or YAML. */
export async function apply(text: string): Promise<Said> {
  return await tryKubectl(["apply", "-f", "-"], text);
}

/** Runs a program where the cluster's addresses are reached. */
export async function besideCluster(program: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const [entered, ...parameters] = [...enter(), program, ...args];
  try {
    const { stdout, stderr } = await run(entered ?? "", parameters, { maxBuffer: 1e8, timeout: timeoutMs });
    return stdout + stderr;
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { readonly stdout?: string; readonly stderr?: string };
    throw new Error([message, stdout ?? "", stderr ?? ""].join("\n"), { cause: error });
  }
}

export interface Forward extends AsyncDisposable {
  readonly port: number;
}

/** A port of this machine's (of the cluster's, where that has namespaces of its own) that leads to a service. */
export async function forward(namespace: string, target: string, port: number): Promise<Forward> {
  const [program, ...first] = inject("kubectl");
  const child: ChildProcess = spawn(program, [...first, "-n", namespace, "port-forward", target, `:${port}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const found = await waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(`port-forward to ${target} ended: ${said}`);
      return /127\.0\.0\.1:(\d+) ->/.exec(said)?.[1];
    },
    `port-forward to ${target}`,
    30_000,
  );
  return {
    port: Number(found),
    [Symbol.asyncDispose]() {
      child.kill();
      return Promise.resolve();
    },
  };
}

/** Program and arguments before those of one that is to run where the cluster's addresses are reached; none: here. */
export function enter(): string[] {
  const pid = inject("machinePid");
  return pid === undefined ? [] : ["nsenter", "-t", String(pid), "-n"];
}
