/** The `kn` command as a user has it: real processes, real files, exit codes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { KN, kn } from "../support/kn.ts";
import { natsServerPath, startTestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/mnist-synthetic.yaml", import.meta.url));
const SMALL = [
  "--set",
  "data.limit=1280",
  "--set",
  "training.batchSize=64",
  "--set",
  "evaluation.everySteps=10",
  "--set",
  "evaluation.samples=500",
];

describe("kn run", () => {
  it("prints one JSON document, leaves results.json, and evaluate measures the same accuracy", async () => {
    await using folder = await temporaryFolder();
    const { code, stdout } = await kn(["run", EXAMPLE, ...SMALL, "--json"], folder.path).ended;
    expect(code).toBe(0);
    const results = JSON.parse(stdout) as Record<string, unknown> & { run: string; folder: string; accuracy: number };
    expect(results).toMatchObject({ epochs: 1, steps: 20, bus: "memory", seed: 1, outcome: "completed" });
    for (const key of ["seconds", "stepsPerSecond", "backend", "dataset", "blocks", "boundaries"])
      expect(results).toHaveProperty(key);
    const { folder: path, ...written } = results;
    expect(JSON.parse(await readFile(join(path, "results.json"), "utf8"))).toEqual(written);

    const evaluated = await kn(["evaluate", results.run, "--json"], folder.path).ended;
    const { accuracy } = JSON.parse(evaluated.stdout) as { accuracy: number };
    expect(Math.abs(accuracy - results.accuracy)).toBeLessThanOrEqual(0.001); // activations are not rounded to int8 here

    const listed = await kn(["runs", "--json"], folder.path).ended;
    expect(JSON.parse(listed.stdout)).toMatchObject([{ run: results.run, outcome: "completed" }]);
    const again = await kn(["resume", results.run], folder.path).ended;
    expect(again).toMatchObject({ code: 0 });
    expect(again.stderr).toContain("is complete");
  });

  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`${signal} saves a checkpoint and ends with ${exitCode}; resume finishes the run`, async () => {
      await using folder = await temporaryFolder();
      const { child, ended } = kn(["run", EXAMPLE, ...SMALL, "--set", "data.limit=12800"], folder.path);
      let stdout = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      await waitFor(() => stdout.includes("| accuracy"), "the first evaluation", 50_000);
      child.kill(signal);
      const stopped = await ended;
      expect(stopped.code).toBe(exitCode);
      const [run = ""] = await readdir(join(folder.path, "runs"));
      const partial = JSON.parse(await readFile(join(folder.path, "runs", run, "results.json"), "utf8")) as {
        steps: number;
        outcome: string;
      };
      expect(partial.outcome).toBe("stopped");
      expect(partial.steps).toBeGreaterThanOrEqual(10);

      const resumed = await kn(["resume", run, "--json"], folder.path).ended;
      expect(resumed.code).toBe(0);
      expect(JSON.parse(resumed.stdout)).toMatchObject({ outcome: "completed", steps: 200, epochs: 1 });
    });
  }

  it("--dry-run shows blocks and bytes per step under each codec and runs nothing", async () => {
    await using folder = await temporaryFolder();
    const { code, stdout } = await kn(["run", EXAMPLE, "--dry-run", "--json"], folder.path).ended;
    expect(code).toBe(0);
    const plan = JSON.parse(stdout) as { blocks: unknown[]; boundaries: { bytesPerStep: Record<string, number> }[] };
    expect(plan.blocks).toHaveLength(4);
    expect(plan.boundaries[0]?.bytesPerStep).toMatchObject({ f32: 128 * 2880 * 4, bf16: 128 * 2880 * 2 });
    expect(await readdir(folder.path)).toEqual([]);
  });

  if (natsServerPath !== undefined) {
    it("--bus nats: starts a server of its own and leaves none behind", async () => {
      await using folder = await temporaryFolder();
      const { code, stdout } = await kn(["run", EXAMPLE, ...SMALL, "--bus", "nats:", "--json"], folder.path).ended;
      expect(code).toBe(0);
      const { bus } = JSON.parse(stdout) as { bus: string };
      expect(bus).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
      await expect(fetch(bus.replace("nats:", "http:"))).rejects.toThrow();
    });

    it("refuses the name of a run that another folder has under way on the same server, and leaves that one alone", async () => {
      await using folder = await temporaryFolder();
      await using nats = await startTestNats();
      const same = ["run", EXAMPLE, ...SMALL, "--name", "same", "--bus", nats.url, "--runs"];
      const first = kn([...same, "a", "--set", "training.epochs=50"], folder.path);
      let stdout = "";
      first.child.stdout?.on("data", (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      await waitFor(() => stdout.includes("steps, bus"), "the first run", 50_000);
      const second = await kn([...same, "b", "--set", "seed=99"], folder.path).ended;
      expect(second).toMatchObject({ code: 2, stdout: "" });
      expect(second.stderr).toContain("in use by another process");
      expect(await readdir(folder.path)).toEqual(["a"]);
      first.child.kill("SIGINT");
      expect((await first.ended).code).toBe(130);
    });
  }
});

describe("kn and its stdout", () => {
  const throughShell = async (script: string, folder: string): Promise<{ code: number | null; stderr: string }> => {
    const shell = spawn("bash", ["-c", script, process.execPath, KN], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    shell.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(shell, "close")) as [number | null];
    return { code, stderr };
  };

  it.skipIf(!existsSync("/dev/full"))("names a full disk and ends with 1", async () => {
    await using folder = await temporaryFolder();
    const { code, stderr } = await throughShell('"$0" "$1" runs --json > /dev/full', folder.path);
    expect(code).toBe(1);
    expect(stderr).toContain("ENOSPC");
  });

  it("ends a run quietly, with its results, when the reader closes it", async () => {
    await using folder = await temporaryFolder();
    const run = `"$0" "$1" run ${EXAMPLE} ${SMALL.join(" ")} --name cut --set training.epochs=50`;
    const { code, stderr } = await throughShell(`${run} | head -1; exit \${PIPESTATUS[0]}`, folder.path);
    expect({ code, stderr }).toEqual({ code: 141, stderr: "" });
    const results = await readFile(join(folder.path, "runs", "cut", "results.json"), "utf8");
    expect(JSON.parse(results)).toMatchObject({ outcome: "stopped" });
  });
});

describe("kn refuses bad input", () => {
  const cases: readonly {
    readonly what: string;
    readonly args: readonly string[];
    readonly code: number;
    readonly says: readonly string[];
  }[] = [
    { what: "a spec that is not there", args: ["run", "absent.yaml"], code: 2, says: ["KN_CONFIG", "absent.yaml"] },
    {
      what: "a misspelt key",
      args: ["run", "misspelt.yaml"],
      code: 2,
      says: ["KN_CONFIG", "misspelt.yaml:", "epoch", "did you mean 'epochs'"],
    },
    {
      what: "a truncated data file",
      args: ["run", EXAMPLE, "--data", "truncated"],
      code: 2,
      says: ["KN_CONFIG", "train-images-idx3-ubyte"],
    },
    {
      what: "a data folder without the files",
      args: ["run", EXAMPLE, "--data", "."],
      code: 2,
      says: ["KN_CONFIG", "SHA-256", "KN_DATA"],
    },
    {
      what: "a server that is not there",
      args: ["run", EXAMPLE, "--bus", "nats://127.0.0.1:1"],
      code: 3,
      says: ["KN_UNAVAILABLE", "127.0.0.1:1"],
    },
    {
      what: "an address of another kind",
      args: ["run", EXAMPLE, "--bus", "http://example.invalid"],
      code: 2,
      says: ["KN_CONFIG", "nats:"],
    },
    { what: "a run that is not there", args: ["resume", "nothing"], code: 2, says: ["KN_CONFIG", "kn runs"] },
    { what: "an unknown option", args: ["run", EXAMPLE, "--fast"], code: 2, says: ["--fast"] },
  ];
  for (const { what, args, code, says } of cases) {
    it(what, async () => {
      await using folder = await temporaryFolder();
      const spec = await readFile(EXAMPLE, "utf8");
      await writeFile(join(folder.path, "misspelt.yaml"), spec.replace("epochs:", "epoch:"));
      await mkdir(join(folder.path, "truncated"));
      await writeFile(
        join(folder.path, "truncated", "train-images-idx3-ubyte"),
        new Uint8Array([0, 0, 8, 3, 0, 0, 234, 96, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2]),
      );
      const ended = await kn(args, folder.path).ended;
      expect(ended).toMatchObject({ code });
      for (const word of says) expect(ended.stderr).toContain(word);
      expect(ended.stderr).not.toMatch(/\n\s+at /); // a message, not a stack
    });
  }
});

describe("kn complete", () => {
  it("prints a script for the shell, and completes commands", async () => {
    await using folder = await temporaryFolder();
    const script = await kn(["complete", "bash"], folder.path).ended;
    expect(script).toMatchObject({ code: 0, stderr: "" });
    expect(script.stdout).toContain("# bash completion for kn");
    const words = await kn(["complete", "--", "sta"], folder.path).ended;
    expect(words.stdout).toContain("status\t");
  });
});
