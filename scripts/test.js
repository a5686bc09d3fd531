/**
 * `npm test`: every suite that this machine can run; each one that it cannot is named with the reason and what brings
 * it.
 * `npm test -- --suite unit` runs one. In CI (`CI` set) nothing may be left out or skipped. The last line of the output
 * is the sum: "N passed, N failed, N skipped".
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ensureBuilt, root } from "./ensure-built.js";
import { clusterFolder, hasOwnCluster, missingPrograms } from "./setup-suites.js";

/**
 * In the order of cost. `needs` names what a suite cannot do without; `missing`, of suites that need more than `npm run
 * setup` brings, gives what this machine lacks of it.
 */
const SUITES = [
  { name: "unit", needs: [] },
  { name: "contract", needs: ["nats-server"] },
  { name: "nats", needs: ["nats-server", "nats"] },
  { name: "e2e", needs: [] },
  { name: "conformance", needs: [], missing: () => missingPrograms("conformance") },
  { name: "reproduction", needs: ["native"] },
  { name: "chaos", needs: ["native", "nats-server", "toxiproxy-server"] },
  { name: "containers", needs: ["native", "nats-server"], missing: () => missingPrograms("containers") },
  { name: "k8s", needs: ["native", "nats-server", "nats"], missing: missingForCluster },
];

const isCi = (process.env.CI ?? "") !== "";
const wanted = process.argv.flatMap((word, index, all) => (word === "--suite" ? [all[index + 1]] : []));
const unknown = wanted.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`there is no suite ${unknown.join(", ")}; there are ${SUITES.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

ensureBuilt();
const { cacheRoot, inspect } = await import(pathToFileURL(join(root, "dist", "setup", "index.js")).href);
const absent = await findAbsent();
const counts = { passed: 0, failed: 0, skipped: 0 };
const leftOut = [];

for (const { name, needs, missing: missingOfSuite = () => [] } of SUITES) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (!existsSync(join(root, "test", name)) || readdirSync(join(root, "test", name)).length === 0) continue;
  const missing = needs.filter((need) => absent.has(need));
  const beyond = missingOfSuite();
  if (missing.length + beyond.length > 0) {
    const remedy = beyond.length > 0 ? "npm run setup -- --system --suites" : "npm run setup";
    leftOut.push(`${name}: ${[...missing, ...beyond].join(", ")} missing; ${remedy}`);
    if (isCi) counts.failed += 1;
    continue;
  }
  run(name);
}

for (const line of leftOut) console.log(`left out: ${line}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 || (isCi && counts.skipped > 0) ? 1 : 0;

function run(name) {
  const folder = mkdtempSync(join(tmpdir(), "knowledgenet-suite-"));
  const report = join(folder, "report.json");
  console.log(`\nsuite ${name}`);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { status } = spawnSync(
    process.execPath,
    [vitest, "run", `test/${name}/`, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    {
      cwd: root,
      stdio: "inherit",
    },
  );
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    counts.passed += numPassedTests;
    // A file that does not load fails without a test of its own.
    counts.failed += Math.max(numFailedTests, status === 0 ? 0 : Math.max(1, numFailedTestSuites > 0 ? 1 : 0));
    counts.skipped += numPendingTests + numTodoTests;
  } catch {
    counts.failed += 1; // the runner itself failed before it could report
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A cluster of the user's needs kubectl and nothing else; one of our own, root and what it is made of. */
function missingForCluster() {
  const programs = missingPrograms("k8s");
  if (hasOwnCluster()) return programs;
  const isBuilt = existsSync(clusterFolder(cacheRoot(process.env)));
  return [
    ...programs,
    ...(process.getuid?.() === 0 ? [] : ["root, or a cluster of yours (KUBECONFIG and KN_TEST_CLUSTER=1)"]),
    ...(isBuilt ? [] : ["the cluster's programs"]),
  ];
}

/** What this machine lacks of what suites need. */
async function findAbsent() {
  const lacking = new Set();
  for (const { id, state } of await inspect()) {
    if (state === "absent") lacking.add(id.replace(/^(tool|backend):/, ""));
  }
  return lacking;
}
