/** src/continuous against SciPy, statsmodels and river (conformance/statistics). */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { differencesOf, type Kind, type StatisticsReference } from "../support/statistics-reference.ts";

const SCRIPT = fileURLToPath(new URL("../../conformance/statistics/reference.py", import.meta.url));
const CHECKED_IN = fileURLToPath(new URL("../unit/continuous/statistics/references.json", import.meta.url));
/** Packages are installed once for each machine: half a minute where the network is good. */
const SETUP_MS = 600_000;

const hasPython = spawnSync("python3", ["-c", "import venv, ensurepip"]).status === 0;
const mustRun = (process.env["CI"] ?? "") !== "";
if (!hasPython && !mustRun) console.log("left out: python3 with venv is missing; npm run setup -- --system");

function referenceOf(size: "small" | "full"): StatisticsReference {
  const { status, stdout, stderr } = spawnSync("python3", [SCRIPT, "--size", size], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as StatisticsReference;
}

describe.skipIf(!hasPython && !mustRun)("the gate's statistics", () => {
  it("equal SciPy's, statsmodels' and river's on 200 cases of each", { timeout: SETUP_MS }, () => {
    const reference = referenceOf("full");
    expect(reference.mcNemar.length).toBeGreaterThan(200);
    expect((Object.keys(reference) as Kind[]).flatMap((kind) => differencesOf(reference, kind))).toEqual([]);
  });

  it("are checked in as the script writes them", { timeout: SETUP_MS }, () => {
    expect(JSON.parse(readFileSync(CHECKED_IN, "utf8"))).toEqual(referenceOf("small"));
  });
});
