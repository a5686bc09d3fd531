/**
 * Makes an installed tfjs-node usable: puts libtensorflow into its `deps/` and the compiled addon into its `lib/`.
 *
 * The libraries are hard links into the cache (no room taken, no dangling link when the cache goes, real files for an
 * image build), symbolic links where that is another file system. The addon is built once per Node ABI and cached.
 */
import { copyFile, link, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Environment, failureLine, succeeded } from "./exec.ts";
import type { Host } from "./host.ts";
import { findPackage } from "./installed-package.ts";
import { LIBRARY_FILES } from "./libtensorflow-wheel.ts";
import { TFJS_NODE_LIBRARY_VERSION } from "./pins.ts";
import { remedyFor } from "./remedies.ts";
import { unavailable } from "./unavailable.ts";

/** A refusal arrives in a second; this bounds a firewall that drops packets, and still allows 110 MB at 1 MB/s. */
const OWN_DOWNLOAD_TIMEOUT_MS = 120_000;
const BUILD = "build tfjs-node's addon";
const BUILD_TIMEOUT_MS = 900_000;

/** Names under which tfjs-node and its linker look for the two libraries. */
const ALIASES: Readonly<Record<string, string>> = {
  "libtensorflow.so": LIBRARY_FILES[0],
  [`libtensorflow.so.${TFJS_NODE_LIBRARY_VERSION}`]: LIBRARY_FILES[0],
  "libtensorflow_framework.so": LIBRARY_FILES[1],
};

/**
 * The package's own install script: downloads libtensorflow and a ready addon.
 * @throws KnowledgeNetError KN_UNAVAILABLE when it fails or takes too long; the package is then as it was
 */
export async function runOwnInstallScript(packageFolder: string, host: Host): Promise<void> {
  const manifest = join(packageFolder, "package.json");
  const before = await readFile(manifest); // the script rewrites it while it works
  const step = host.progress.step("trying tfjs-node's own download of libtensorflow");
  const result = await host.exec(host.node.executable, ["scripts/install.js"], {
    cwd: packageFolder,
    env: buildEnvironment(host),
    timeoutMs: OWN_DOWNLOAD_TIMEOUT_MS,
  });
  await writeFile(manifest, before);
  // It exits with 0 before its last child has ended, and on some refusals: only the addon's presence is proof.
  if (succeeded(result) && existsSync(installedAddon(packageFolder, host))) {
    step.end("ok");
    return;
  }
  await rm(join(packageFolder, "deps"), { recursive: true, force: true });
  const reason = failureLine(result);
  step.end(`not available: ${reason}`);
  throw unavailable("run tfjs-node's install script", reason);
}

/** Puts the two libraries and the headers into `deps/`, replacing their contents. */
export async function linkLibrary(packageFolder: string, library: string): Promise<void> {
  const deps = join(packageFolder, "deps");
  await rm(deps, { recursive: true, force: true });
  await mkdir(join(deps, "lib"), { recursive: true });
  for (const name of LIBRARY_FILES) await linkFile(join(library, name), join(deps, "lib", name));
  for (const [alias, name] of Object.entries(ALIASES)) await symlink(name, join(deps, "lib", alias));
  await symlink(join(library, "include"), join(deps, "include"));
}

/** Copies the cached addon into the package. @returns false when there is none */
export async function placeAddon(packageFolder: string, cached: string, host: Host): Promise<boolean> {
  if (!existsSync(cached)) return false;
  const place = installedAddon(packageFolder, host);
  await mkdir(dirname(place), { recursive: true });
  await rm(place, { force: true }); // a process may run on the old file: do not write into it
  await copyFile(cached, place);
  return true;
}

/**
 * Compiles the addon against the linked libraries and keeps a copy at `cached`.
 * @throws KnowledgeNetError KN_UNAVAILABLE when there is no compiler or the build fails
 */
export async function buildAddon(packageFolder: string, cached: string, host: Host): Promise<void> {
  await requireCompiler(host);
  const preGyp = findPackage(packageFolder, "@mapbox/node-pre-gyp");
  if (preGyp === undefined)
    throw unavailable(BUILD, "its dependency @mapbox/node-pre-gyp is missing", { remedy: "npm install" });
  const step = host.progress.step("building tfjs-node's addon");
  try {
    const result = await host.exec(
      host.node.executable,
      [join(preGyp, "bin", "node-pre-gyp"), "install", "--build-from-source"],
      { cwd: packageFolder, env: buildEnvironment(host), timeoutMs: BUILD_TIMEOUT_MS },
    );
    const built = installedAddon(packageFolder, host);
    if (!succeeded(result) || !existsSync(built)) throw unavailable(BUILD, failureLine(result));
    await mkdir(dirname(cached), { recursive: true });
    await copyFile(built, `${cached}.${host.pid}`);
    await rename(`${cached}.${host.pid}`, cached);
    for (const left of ["build", `build-tmp-napi-v${napiVersion(host)}`]) {
      await rm(join(packageFolder, left), { recursive: true, force: true });
    }
    step.end("ok");
  } finally {
    step.end("failed");
  }
}

/** Where the package looks for its addon. */
function installedAddon(packageFolder: string, host: Host): string {
  return join(packageFolder, "lib", `napi-v${napiVersion(host)}`, "tfjs_binding.node");
}

/** The newest Node-API version that both the package (3-8) and Node support. */
function napiVersion(host: Host): number {
  return Math.min(8, host.node.napi);
}

/**
 * node-gyp downloads Node's headers unless it gets their path; they are usually beside the executable. It is itself
 * part of npm.
 */
function buildEnvironment(host: Host): Environment {
  const prefix = dirname(dirname(host.node.executable));
  const headers =
    host.env.npm_config_nodedir ?? (existsSync(join(prefix, "include", "node", "node_api.h")) ? prefix : undefined);
  const gyp =
    host.env.npm_execpath &&
    join(dirname(dirname(host.env.npm_execpath)), "node_modules", "node-gyp", "bin", "node-gyp.js");
  return {
    ...host.env,
    ...(headers === undefined ? {} : { npm_config_nodedir: headers }),
    ...(gyp && existsSync(gyp) ? { npm_config_node_gyp: gyp } : {}),
  };
}

async function linkFile(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => symlink(from, to));
}

async function requireCompiler(host: Host): Promise<void> {
  const checks = [host.env.CXX || "g++", "make", "python3"].map(async (program) => ({
    program,
    there: succeeded(await host.exec(program, ["--version"], { timeoutMs: 10_000 })),
  }));
  const missing = (await Promise.all(checks)).filter(({ there }) => !there).map(({ program }) => program);
  if (missing.length === 0) return;
  throw unavailable(BUILD, `${missing.join(", ")} not installed`, { remedy: remedyFor(host, "compiler") });
}
