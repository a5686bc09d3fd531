/**
 * `npm run check`: what to run before a commit. Two steps at a time; a step's output is shown when it fails. With
 * `--no-tests` the unit tests are left to `npm test`, which has them as well.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { root } from "./ensure-built.js";

const bin = (name) => join(root, "node_modules", ".bin", name);

/** Longest first. */
const STEPS = [
  { name: "unit tests", command: [bin("vitest"), "run", "test/unit/"] },
  {
    name: "lint",
    command: [
      bin("eslint"),
      "--cache",
      "--cache-location",
      "node_modules/.cache/eslint/",
      "src",
      "setup",
      "tools",
      "test",
      "scripts",
    ],
  },
  { name: "types", command: [bin("tsc"), "--noEmit", "-p", "tsconfig.json"] },
  {
    name: "import arrows",
    command: [bin("depcruise"), "src", "setup", "tools", "--config", ".dependency-cruiser.cjs"],
  },
  { name: "unused code", command: [bin("knip")] },
  { name: "generated code", command: [process.execPath, "scripts/generate.js", "--check"] },
  { name: "format", command: [bin("biome"), "format", "."] },
];

const queue = process.argv.includes("--no-tests") ? STEPS.filter(({ name }) => name !== "unit tests") : [...STEPS];
let isGood = true;

async function work() {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const { name, command } = step;
    const startedMs = performance.now();
    const { code, output } = await run(command);
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (code === 0) continue;
    isGood = false;
    console.log(output);
  }
}

function run([file, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
    child.on("close", (code) => resolve({ code, output }));
  });
}

await Promise.all([work(), work()]);
process.exitCode = isGood ? 0 : 1;
