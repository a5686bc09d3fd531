/**
 * The machine as a port of provisioning: environment, platform, programs, and where progress is reported. `realHost` is
 * the machine itself; tests hand in a folder and a fake `exec`.
 */
import { hostname } from "node:os";
import process from "node:process";
import { type Environment, type Exec, spawnExec } from "./exec.ts";
import { createProgress, type Progress } from "./progress.ts";

export interface Host {
  readonly env: Environment;
  readonly exec: Exec;
  readonly progress: Progress;
  /** `process.platform`. */
  readonly platform: string;
  /** `process.arch`. */
  readonly arch: string;
  /** False on musl, where the libraries of a manylinux wheel cannot be loaded. */
  readonly isGlibc: boolean;
  readonly isSuperuser: boolean;
  readonly name: string;
  readonly pid: number;
  readonly node: NodeRuntime;
}

export interface NodeRuntime {
  readonly executable: string;
  /** "20.20.2". */
  readonly version: string;
  /** ABI number, "115". */
  readonly modules: string;
  /** Newest Node-API that it offers. */
  readonly napi: number;
}

/** @param progress receives reports. @default lines on standard error */
export function realHost(progress: Progress = createProgress(process.stderr)): Host {
  return {
    env: process.env,
    exec: spawnExec,
    progress,
    platform: process.platform,
    arch: process.arch,
    isGlibc: process.platform === "linux" && glibcVersion() !== undefined,
    isSuperuser: process.getuid?.() === 0,
    name: hostname(),
    pid: process.pid,
    node: {
      executable: process.execPath,
      version: process.versions.node,
      modules: process.versions.modules,
      napi: Number(process.versions.napi),
    },
  };
}

function glibcVersion(): string | undefined {
  // Without it a report looks up the names of open sockets' peers, which can take seconds.
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}
