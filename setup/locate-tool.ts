/**
 * Finds a command-line tool: in the environment first (`KN_NATS_SERVER=/path`), then in setup's cache, then on PATH.
 * A nats-server on PATH counts only from 2.12 on: older ones drop stream fields that we rely on without a word.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { KnowledgeNetError } from "../src/errors/index.ts";
import { cacheRoot, toolPath } from "./cache-layout.ts";
import type { Environment } from "./exec.ts";
import { TOOLS, type ToolName, type ToolPin } from "./pins.ts";

/** Runs a program and returns its output; `undefined` when it cannot be run. */
export type AskVersion = (program: string, flag: string) => string | undefined;

/**
 * @returns the path of an executable, or `undefined` when there is none
 * @throws KnowledgeNetError KN_CONFIG when the environment names a file that cannot be run
 */
export function locateTool(name: ToolName, env: Environment, askVersion: AskVersion = askProgram): string | undefined {
  const tool = TOOLS[name];
  const override = env[tool.variable];
  if (override) {
    if (isExecutable(override)) return override;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `find ${tool.title}`,
      rule: `${tool.variable} must name a program that can be run`,
      value: override,
      remedy: `correct ${tool.variable}, or unset it to use what setup built`,
    });
  }
  const built = toolPath(cacheRoot(env), name);
  if (isExecutable(built)) return built;
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => isExecutable(path) && isRecent(tool, askVersion(path, tool.versionFlag)));
}

/** The first version number in a tool's version text: "nats-server: v2.12.2" -> "2.12.2". */
export function versionIn(text: string | undefined): string | undefined {
  return text?.match(/\d+\.\d+(?:\.\d+)?/)?.[0];
}

/** Numeric comparison by part; no pre-release rules, since we pin releases. */
export function isAtLeast(version: string, oldest: string): boolean {
  const [have, want] = [version, oldest].map((text) => text.split(".").map(Number)) as [number[], number[]];
  const difference = want.map((part, i) => (have[i] ?? 0) - part).find((part) => part !== 0);
  return (difference ?? 0) >= 0;
}

function isRecent(tool: ToolPin, answer: string | undefined): boolean {
  if (answer === undefined) return false;
  if (tool.oldest === undefined) return true;
  const version = versionIn(answer);
  return version !== undefined && isAtLeast(version, tool.oldest);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function askProgram(program: string, flag: string): string | undefined {
  const result = spawnSync(program, [flag], { encoding: "utf8", timeout: 5_000 });
  return result.status === 0 ? result.stdout + result.stderr : undefined;
}
