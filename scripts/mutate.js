/**
 * `npm run mutate -- src/runtime/stream`: mutation score of one folder or file, of all that stryker.config.json names
 * without an argument. Takes minutes per folder, so it is no part of the gate; docs/results/mutation.md has the scores.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root } from "./ensure-built.js";

const VERSION = "9.6.1"; // 10 needs Node 22
const stryker = join(root, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js");
if (!existsSync(stryker)) {
  const packages = ["core", "vitest-runner"].map((name) => `@stryker-mutator/${name}@${VERSION}`);
  console.error(`mutation testing is not installed: npm install --no-save ${packages.join(" ")}`);
  process.exit(2);
}
const paths = process.argv
  .slice(2)
  .map((path) => (path.endsWith(".ts") ? path : `${path.replace(/\/$/, "")}/**/!(index).ts`));
const mutate = paths.length === 0 ? [] : ["--mutate", paths.join(",")];
const { status } = spawnSync(process.execPath, [stryker, "run", ...mutate], { cwd: root, stdio: "inherit" });
process.exit(status ?? 1);
