/** A machine for tests: a folder of its own, and programs that are functions. */
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { ExecOptions, ExecResult } from "../../../setup/exec.ts";
import type { Host } from "../../../setup/host.ts";
import { silentProgress } from "../../../setup/progress.ts";

export type FakeProgram = (
  args: readonly string[],
  options: ExecOptions,
) => Partial<ExecResult> | undefined | Promise<Partial<ExecResult> | undefined>;

export interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly options: ExecOptions;
}

export interface FakeHost extends Host {
  readonly calls: readonly Call[];
}

/** @param programs by the name (or whole path) they are called with; all others are not found */
export function fakeHost(programs: Readonly<Record<string, FakeProgram>>, overrides: Partial<Host> = {}): FakeHost {
  const calls: Call[] = [];
  return {
    env: {},
    progress: silentProgress,
    platform: "linux",
    arch: "x64",
    isGlibc: true,
    isSuperuser: true,
    name: hostname(),
    pid: process.pid,
    node: { executable: "node", version: "20.20.2", modules: "115", napi: 9 },
    ...overrides,
    calls,
    exec: async (program, args, options = {}) => {
      calls.push({ program, args, options });
      const run = programs[program];
      if (run === undefined) return { outcome: "not-found", code: undefined, stdout: "", stderr: "" };
      return { outcome: "exited", code: 0, stdout: "", stderr: "", ...(await run(args, options)) };
    },
  };
}

export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "kn-provision-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
