/**
 * Brings back the npm package `@tensorflow/tfjs-node` after npm dropped it: npm removes an optional dependency, without
 * a word, when its install script fails.
 *
 * Contract: adds one folder, `node_modules/@tensorflow/tfjs-node` with its own dependencies inside; changes and removes
 * nothing else, neither packages nor package.json nor a lock file. A nested `npm install` in the project itself could
 * not promise that: it would prune, add or omit other packages by its own flags. So npm installs into a staging folder,
 * with the project's lock so that the versions are the locked ones, and the result is moved over.
 * `@tensorflow/tfjs` is left out: there must be one instance, the project's. An empty stand-in for it keeps npm
 * from unpacking it for nothing (2 s instead of 7).
 */
import { copyFile, cp, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeStaging } from "./cache-layout.ts";
import { type Environment, failureLine, succeeded } from "./exec.ts";
import type { Host } from "./host.ts";
import { findPackage, readPackageJson } from "./installed-package.ts";
import { TFJS_NODE_VERSION } from "./pins.ts";
import { unavailable } from "./unavailable.ts";

const NAME = "@tensorflow/tfjs-node";
const SHARED = "@tensorflow/tfjs";
const ATTEMPT = `install ${NAME}`;
const INSTALL_TIMEOUT_MS = 600_000;

/** `.bin` holds links to programs, which would point back into the staging folder; they are unused. */
const WITHOUT_LINKS = { recursive: true, filter: (path: string) => basename(path) !== ".bin" } as const;

/** npm's variables for scripts about *its* command; none applies to ours. */
const COMMAND_SETTINGS =
  /^npm_(command$|lifecycle_|package_|config_(omit|include|production|only|optional|dev|also|global|location|prefix|local_prefix|dry_run|workspaces?|include_workspace_root|package_lock|package_lock_only|save.*|ignore_scripts|install_strategy|install_links|legacy_bundling|global_style|bin_links|force|json|long|before)$)/i;

/**
 * @returns the package's folder
 * @throws KnowledgeNetError KN_UNAVAILABLE when npm cannot install it, or `@tensorflow/tfjs` is not installed
 */
export async function restoreTfjsNode(root: string, cache: string, host: Host): Promise<string> {
  const shared = findPackage(root, SHARED);
  if (shared === undefined) {
    throw unavailable(ATTEMPT, `${SHARED} must be installed beside it`, { remedy: "npm install" });
  }
  const final = join(dirname(shared), basename(NAME));
  const version = readPackageJson(root).optionalDependencies?.[NAME] ?? TFJS_NODE_VERSION;
  const staging = await makeStaging(cache, "tfjs-node");
  const step = host.progress.step(`installing ${NAME} ${version}`);
  // As npm names folders that it sets aside; it ignores dotted names.
  const aside = join(dirname(final), `.${basename(NAME)}-${basename(staging).slice(-6)}`);
  try {
    await mkdir(join(staging, "stand-in"));
    await writeJson(join(staging, "stand-in"), { name: SHARED, version });
    await writeJson(staging, {
      private: true,
      dependencies: { [NAME]: version },
      overrides: { [SHARED]: "file:./stand-in" },
    });
    await copyFile(join(root, "package-lock.json"), join(staging, "package-lock.json")).catch(() => undefined);
    const [command, ...first] = npmCommand(host);
    const result = await host.exec(
      command,
      [...first, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"],
      { cwd: staging, env: withoutCommandSettings(host.env), timeoutMs: INSTALL_TIMEOUT_MS },
    );
    if (!succeeded(result)) throw unavailable(ATTEMPT, `npm cannot install it: ${failureLine(result)}`);

    const modules = join(staging, "node_modules");
    await cp(join(modules, NAME), aside, WITHOUT_LINKS);
    await rm(join(aside, "node_modules", dirname(SHARED)), { recursive: true, force: true }); // the stand-in
    for (const name of await readdir(modules)) {
      if (name.startsWith(".") || name === dirname(SHARED)) continue;
      await cp(join(modules, name), join(aside, "node_modules", name), WITHOUT_LINKS);
    }
    await rm(final, { recursive: true, force: true });
    await rename(aside, final);
    step.end("ok");
    return final;
  } finally {
    step.end("failed");
    await rm(aside, { recursive: true, force: true });
    await rm(staging, { recursive: true, force: true });
  }
}

/** The npm that runs us, else the one on PATH. */
export function npmCommand(host: Host): readonly [string, ...string[]] {
  const running = host.env.npm_execpath;
  return running !== undefined && basename(running) === "npm-cli.js" ? [host.node.executable, running] : ["npm"];
}

/** The environment without the outer npm's flags; registry, proxy, certificate and cache settings stay. */
export function withoutCommandSettings(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !COMMAND_SETTINGS.test(name)));
}

async function writeJson(folder: string, content: object): Promise<void> {
  await writeFile(join(folder, "package.json"), JSON.stringify(content));
}
