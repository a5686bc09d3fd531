/**
 * Compiles src/ to dist/ when dist/ is missing or older than a source. For the entry points that must run in a fresh
 * checkout, before anything is compiled; hence plain JavaScript and no imports but Node's.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const stamp = join(root, "dist", ".tsbuildinfo"); // tsc writes it last

/**
 * @returns {"fresh" | "built" | "faulty" | "no-compiler"} `faulty`: type errors, shown on standard error; tsc still
 * wrote
 *   what it could. `no-compiler`: development dependencies are not installed, so dist/ is whatever it was.
 */
export function ensureBuilt() {
  if (!existsSync(join(root, "src"))) return "fresh"; // an installed package carries dist/ only
  if (!isStale()) return "fresh";
  if (!existsSync(compiler)) return "no-compiler";
  const { status } = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], {
    cwd: root,
    stdio: ["ignore", 2, 2], // what the caller prints is its own
  });
  // tsc leaves its stamp alone when only the times of sources changed (a checkout): without this it would run each
  // time.
  if (existsSync(stamp)) utimesSync(stamp, new Date(), new Date());
  return status === 0 ? "built" : "faulty";
}

function isStale() {
  const built = statSync(stamp, { throwIfNoEntry: false });
  if (built === undefined) return true;
  return ["tsconfig.json", "tsconfig.build.json", ...sources()].some((path) => {
    const source = statSync(join(root, path), { throwIfNoEntry: false });
    return source !== undefined && source.mtimeMs > built.mtimeMs;
  });
}

function sources() {
  return ["src", "setup", "tools"]
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));
}
