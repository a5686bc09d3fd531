/** conformance/oip, by Python's clients of other people, against the front end with a fake model. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { serveInference } from "../../src/apps/http/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { fakeServedModel } from "../support/fake-served-model.ts";

const RUNNER = fileURLToPath(new URL("../../conformance/oip/run.py", import.meta.url));
/** Packages are installed once for each machine: half a minute where the network is good. */
const SETUP_MS = 600_000;

const hasPython = spawnSync("python3", ["-c", "import venv, ensurepip"]).status === 0;
const mustRun = (process.env["CI"] ?? "") !== "";
if (!hasPython && !mustRun) console.log("left out: python3 with venv is missing; npm run setup -- --system");

interface CaseResult {
  readonly id: string;
  readonly verdict: string;
  readonly found: string;
}

function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly output: string }> {
  let output = "";
  const add = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on("data", add);
  child.stderr?.on("data", add);
  return new Promise((resolve) => {
    child.once("close", (code) => {
      resolve({ code, output });
    });
  });
}

describe.skipIf(!hasPython && !mustRun)("conformance to the Open Inference Protocol", () => {
  it.each([
    ["a model of grey images", [28, 28, 1]],
    ["a model of coloured images", [32, 32, 3]],
  ])("every case passes for %s", { timeout: SETUP_MS }, async (_, input) => {
    const model = fakeServedModel({ input, maxBatch: 32 });
    await using http = await serveInference(
      { address: "127.0.0.1:0" },
      { models: () => [model], unready: () => [], clock: systemClock(), log: silentLogger, version: "0.1.0" },
    );
    const folder = await mkdtemp(join(tmpdir(), "knowledgenet-oip-"));
    try {
      const file = join(folder, "results.json");
      const { code, output } = await ended(
        spawn("python3", [RUNNER, "--url", `http://${http.address}`, "--model", "digits", "--json", file]),
      );
      const results = JSON.parse(await readFile(file, "utf8").catch(() => "[]")) as CaseResult[];
      expect(
        results.filter(({ verdict }) => verdict !== "ok").map(({ id, found }) => `${id}: ${found}`),
        output,
      ).toEqual([]);
      expect(results.length, output).toBeGreaterThan(100);
      expect(code, output).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
