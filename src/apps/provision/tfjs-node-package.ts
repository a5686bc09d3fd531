/**
 * Brings back the npm package `@tensorflow/tfjs-node` after npm dropped it: npm removes an optional dependency, without
 * a word, when its install script fails.
 *
 * Contract: adds one folder, `node_modules/@tensorflow/tfjs-node` with its own dependencies inside; changes and removes
 * nothing else, neither packages nor package.json nor a lock file. A nested `npm install` in the project itself could
 * not promise that: it would prune, add or omit other packages by its own flags. So npm installs into a staging folder,
 * with the project's lock so that the versions are the locked ones, and the result is moved over.
 * `@tensorflow/tfjs` is not taken along: there must be one instance, the project's.
 */
import { copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Environment, failureLine, succeeded } from "./exec.ts";
import type { Host } from "./host.ts";
import { findPackage, readPackageJson } from "./installed-package.ts";
import { TFJS_NODE_VERSION } from "./pins.ts";

const NAME = "@tensorflow/tfjs-node";
const SHARED_SCOPE = "@tensorflow/";
const INSTALL_TIMEOUT_MS = 600_000;

/** What npm hands down to scripts about *its* command; none of it is meant for ours. */
const COMMAND_SETTINGS =
  /^npm_(command$|lifecycle_|package_|config_(omit|include|production|only|optional|dev|also|global|location|prefix|local_prefix|dry_run|workspaces?|include_workspace_root|package_lock|package_lock_only|save.*|ignore_scripts|install_strategy|install_links|legacy_bundling|global_style|bin_links|force|json|long|before)$)/i;

/** One entry of npm's `node_modules/.package-lock.json`. */
interface LedgerEntry {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * @returns the package's folder
 * @throws KnowledgeNetError KN_UNAVAILABLE when npm cannot install it, or `@tensorflow/tfjs` is not installed
 */
export async function restoreTfjsNode(root: string, cache: string, host: Host): Promise<string> {
  const shared = findPackage(root, "@tensorflow/tfjs");
  if (shared === undefined) {
    throw unavailable("@tensorflow/tfjs must be installed beside it", "npm install");
  }
  const final = join(dirname(shared), basename(NAME));
  const version = readPackageJson(root).optionalDependencies?.[NAME] ?? TFJS_NODE_VERSION;
  await mkdir(join(cache, "staging"), { recursive: true });
  const staging = await mkdtemp(join(cache, "staging", "tfjs-node-"));
  const step = host.progress.step(`installing ${NAME} ${version}`);
  // npm itself names what it puts aside like this, and passes over dotted names.
  const aside = join(dirname(final), `.${basename(NAME)}-${basename(staging).slice(-6)}`);
  try {
    await writeFile(join(staging, "package.json"), JSON.stringify({ private: true, dependencies: { [NAME]: version } }));
    await copyFile(join(root, "package-lock.json"), join(staging, "package-lock.json")).catch(() => undefined);
    const [command, ...first] = npmCommand(host);
    const result = await host.exec(
      command,
      [...first, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"],
      { cwd: staging, env: withoutCommandSettings(host.env), timeoutMs: INSTALL_TIMEOUT_MS },
    );
    if (!succeeded(result)) throw unavailable(`npm cannot install it: ${failureLine(result)}`);

    const modules = join(staging, "node_modules");
    await cp(join(modules, NAME), aside, { recursive: true });
    for (const path of await closure(modules)) {
      await cp(join(staging, path), join(aside, path), { recursive: true });
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

/** Paths ("node_modules/tar") of what tfjs-node needs, itself and the shared scope left out. */
async function closure(modules: string): Promise<readonly string[]> {
  const ledger = JSON.parse(await readFile(join(modules, ".package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LedgerEntry>>;
  };
  const found = new Set<string>();
  const visit = (path: string): void => {
    const entry = ledger.packages[path];
    for (const name of Object.keys({ ...entry?.dependencies, ...entry?.optionalDependencies })) {
      if (name.startsWith(SHARED_SCOPE)) continue;
      const needed = resolve(ledger.packages, path, name);
      if (needed === undefined || found.has(needed)) continue;
      found.add(needed);
      visit(needed);
    }
  };
  const start = `node_modules/${NAME}`;
  visit(start);
  // What lies inside another package's folder is copied with that folder.
  return [...found].filter((path) => path.lastIndexOf("node_modules/") === 0);
}

/** Node's rule: the nearest enclosing `node_modules` that has the name. */
function resolve(packages: Readonly<Record<string, LedgerEntry>>, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (folder === "") return undefined;
  }
}

function unavailable(rule: string, remedy?: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `install ${NAME}`,
    rule,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
