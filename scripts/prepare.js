/**
 * npm's `prepare`: compiles, then sets up, as far as this machine allows. Best effort: it never fails an install and
 * reports the result in one line. npm runs it for the root project only; it also runs for `npm pack` and for a git
 * dependency being packed, where nothing is fetched. KN_SKIP_SETUP=1 compiles only.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { ensureBuilt, root } from "./ensure-built.js";

/** Commands that prepare this folder for work. */
const INSTALLS = ["install", "ci", "install-test", "install-ci-test", "update", "link", "rebuild", undefined];

try {
  const skipped = prepare();
  if (skipped !== undefined) console.log(`knowledgenet setup: skipped, ${skipped}`);
} catch (error) {
  console.log(`knowledgenet setup: failed (${error.message}): npm run setup`);
}
process.exitCode = 0;

/** @returns {string | undefined} why nothing was set up */
function prepare() {
  const { env } = process;
  const outcome = ensureBuilt();
  if (outcome === "no-compiler")
    return 'TypeScript is not installed (development dependencies were left out); where dist/ is built, "npm run setup" does it';
  if (env.KN_SKIP_SETUP) return "KN_SKIP_SETUP is set";
  if (!INSTALLS.includes(env.npm_command) || env._PACOTE_NO_PREPARE_ !== undefined) return undefined; // being packed
  if (env.npm_config_local_prefix !== undefined && env.npm_config_local_prefix !== root)
    return "this is not the root project";
  // In a separate process: its failure does not fail the install.
  spawnSync(process.execPath, [join(root, "scripts", "setup.js")], { cwd: root, stdio: "inherit" });
  return undefined;
}
