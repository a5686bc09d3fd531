/**
 * `npm run setup`: fetches libtensorflow, nats-server, the nats CLI and toxiproxy into the user's cache. `-- --suites`
 * builds what the cluster suite runs on as well; `-- --system` first installs the system packages of the suites, after
 * saying which. Exit code 0 when everything is installed, 1 when something is missing (the last line has the command
 * that installs it).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ensureBuilt, root } from "./ensure-built.js";
import { buildSuiteTools, installSystemPackages } from "./setup-suites.js";

const entry = join(root, "dist", "setup", "index.js");

const outcome = ensureBuilt();
if (!existsSync(entry)) {
  const remedy =
    outcome === "no-compiler"
      ? "TypeScript is not installed: npm install --include=dev"
      : "the build failed: npm run build";
  console.log(`knowledgenet setup: ${remedy}`);
  process.exit(1);
}
const { cacheRoot, provision, formatReport } = await import(pathToFileURL(entry).href);
const wants = (option) => process.argv.includes(option);
let isWhole = true;
if (wants("--system")) isWhole = installSystemPackages();
const report = await provision();
console.log(`knowledgenet setup: ${formatReport(report)}`);
if (wants("--suites")) isWhole = buildSuiteTools(cacheRoot(process.env)) && isWhole;
process.exitCode = isWhole && report.isComplete ? 0 : 1;
