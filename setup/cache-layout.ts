/**
 * Layout of the cache of downloads: one folder per user, shared by all checkouts, with the version in every path.
 * Nothing is ever changed in place; a path that exists is complete, since it got its name by a rename.
 *
 *     bin/nats-server-2.12.15/nats-server
 *     libtensorflow/2.21.0-linux-x64/{libtensorflow_cc.so.2,libtensorflow_framework.so.2,include/}
 *     tfjs-node/4.22.0-libtensorflow-2.21.0-linux-x64-abi115/tfjs_binding.node
 *     downloads/  staging/  setup.lock
 */
import { mkdir, mkdtemp } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { KnowledgeNetError } from "../src/errors/index.ts";
import type { Environment } from "./exec.ts";
import { TOOLS, type ToolName } from "./pins.ts";

/**
 * `KN_CACHE`, else `$XDG_CACHE_HOME/knowledgenet`, else `~/.cache/knowledgenet`.
 *
 * @throws KnowledgeNetError KN_CONFIG for a user without a home folder
 */
export function cacheRoot(env: Environment, home: () => string = homedir): string {
  if (env.KN_CACHE) return resolve(env.KN_CACHE); // Go refuses a relative GOBIN
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, "knowledgenet");
  return join(env.HOME || homeFolder(home), ".cache", "knowledgenet");
}

/** A user without an account on the system, as in many containers, has none. */
function homeFolder(home: () => string): string {
  try {
    return home();
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "find the cache folder",
      rule: "the user must have a home folder, or KN_CACHE name the cache",
      value: error instanceof Error ? error.message : String(error),
      remedy: "set HOME or KN_CACHE",
      cause: error,
    });
  }
}

export function toolPath(cache: string, name: ToolName): string {
  return join(cache, "bin", `${name}-${TOOLS[name].version}`, name);
}

export function libraryFolder(cache: string, version: string, platform: string, arch: string): string {
  return join(cache, "libtensorflow", `${version}-${platform}-${arch}`);
}

/** A new empty folder on the cache's file system, for content that is renamed into place when it is complete. */
export async function makeStaging(cache: string, name: string): Promise<string> {
  const staging = stagingFolder(cache);
  await mkdir(staging, { recursive: true });
  return mkdtemp(join(staging, `${name}-`));
}

/** Used under the setup lock only: its content at the start is left from an interrupted setup. */
export function stagingFolder(cache: string): string {
  return join(cache, "staging");
}

export interface AddonKey {
  readonly packageVersion: string;
  readonly libraryVersion: string;
  readonly platform: string;
  readonly arch: string;
  /** ABI number of Node. */
  readonly modules: string;
}

export function addonPath(cache: string, key: AddonKey): string {
  const folder = `${key.packageVersion}-libtensorflow-${key.libraryVersion}-${key.platform}-${key.arch}-abi${key.modules}`;
  return join(cache, "tfjs-node", folder, "tfjs_binding.node");
}
