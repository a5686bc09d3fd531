import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EXIT_BY_SIGNAL, type EndSignal } from "../../../../src/apps/cli/exit.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { type CliOptions, fleetOnMemory, kn, nodeRecord, runStatus, startKn, TINY } from "./cli-scene.ts";

/** Bound, not expectation: a run loads its backend and data, seconds on an idle machine. */
const RUN_MS = 240_000;

async function scene() {
  const folder = await temporaryFolder();
  const spec = join(folder.path, "tiny.yaml");
  const runs = join(folder.path, "runs");
  await writeFile(spec, TINY);
  const own = ["--runs", runs, "--backend", "cpu"];
  return {
    spec,
    runs,
    /** `kn <command> ...` with a runs folder of its own. */
    kn: ([command = "", ...rest]: readonly string[], options?: CliOptions) => kn([command, ...own, ...rest], options),
    start: ([command = "", ...rest]: readonly string[], options?: CliOptions) =>
      startKn([command, ...own, ...rest], options),
    left: () => readdir(runs).catch(() => []),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

describe("kn run", () => {
  it.each([["run"], ["demo"]])("kn %s takes its bus from KN_BUS", { timeout: RUN_MS }, async (command) => {
    await using at = await scene();
    const argv = command === "run" ? ["run", at.spec] : ["demo"];
    const { code, stderr } = await at.kn(argv, { env: { KN_BUS: "http://ann:SECRET@other.invalid" } });
    expect(code).toBe(2);
    expect(stderr).toContain("http://other.invalid");
    expect(stderr).not.toContain("SECRET");
    expect(await at.left()).toEqual([]);
  });

  it("leaves nothing behind where it is refused, so that its name is free; resume refuses an edited spec", {
    timeout: RUN_MS,
  }, async () => {
    await using at = await scene();
    const few = await at.kn(["run", "--name", "again", "--set", "data.limit=10", at.spec]);
    expect(few.code).toBe(2);
    expect(await at.left()).toEqual([]);

    // The spec may follow --set.
    const done = await at.kn(["run", "--name", "again", "--json", "--set", "evaluation.samples=100", at.spec]);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(done.stdout)).toMatchObject({ run: "again", steps: 10, outcome: "completed" });
    const file = join(at.runs, "again", "spec.json");
    await writeFile(file, (await readFile(file, "utf8")).replace('"batchSize": 64', '"batchSize": 32'));
    const edited = await at.kn(["resume", "again"]);
    expect(edited.code).toBe(2);
    expect(edited.stderr).toContain("training.batchSize is 32, it was 64");
  });

  it.each(["SIGHUP", "SIGPIPE"] as const satisfies readonly EndSignal[])(
    "%s saves a checkpoint and ends with its exit code",
    { timeout: RUN_MS },
    async (signal) => {
      await using at = await scene();
      const long = ["training.epochs=500", "evaluation.everySteps=2"].flatMap((set) => ["--set", set]);
      const broken: { stdoutError?: NodeJS.ErrnoException } = {};
      const running = at.start(["run", "--name", "long", ...long, at.spec], broken);
      await waitFor(() => running.stdout().includes("| accuracy"), "the first evaluation", RUN_MS);
      if (signal === "SIGPIPE") broken.stdoutError = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
      else running.signal(signal);
      const { code, stderr } = await running.ended;
      expect(code).toBe(EXIT_BY_SIGNAL[signal]);
      if (signal === "SIGPIPE") expect(stderr).toBe("");
      const results = JSON.parse(await readFile(join(at.runs, "long", "results.json"), "utf8")) as { outcome: string };
      expect(results.outcome).toBe("stopped");
      expect(await readdir(join(at.runs, "long", "store"))).toContain("blobs");
    },
  );

  it("lists a run folder that cannot be read, with the reason", async () => {
    await using at = await scene();
    await mkdir(join(at.runs, "newer"), { recursive: true });
    await writeFile(join(at.runs, "newer", "spec.json"), '{ "kind": "other" }');
    const { stdout } = await kn(["runs", "--runs", at.runs]);
    expect(stdout).toMatch(/newer .*cannot be read/);
    expect(stdout).toMatch(/^newer: KN_CONFIG/m);
    const { stdout: json } = await kn(["runs", "--runs", at.runs, "--json"]);
    expect(JSON.parse(json)).toMatchObject([{ run: "newer", outcome: "cannot be read" }]);
  });
});

describe("kn run --nodes fleet", () => {
  const SMALL = { timeout: RUN_MS };

  it("ends with the exit code of the error that the run failed with", SMALL, async () => {
    await using at = await scene();
    await using remote = await fleetOnMemory();
    for (const name of ["a", "b"]) await remote.fleet.nodes.put(name, nodeRecord(name));
    const argv = ["run", "--runs", at.runs, "--name", "demo", "--nodes", "fleet", at.spec];
    const running = remote.start(argv);
    await waitFor(() => remote.fleet.runs.get("demo"), "the run's record", RUN_MS);
    const failed = { outcome: "failed", error: "KN_CHECKPOINT: the disk is full", code: "KN_CHECKPOINT" } as const;
    await remote.fleet.status.put("demo", runStatus("demo", failed));
    const { code, stderr } = await running.ended;
    expect(code).toBe(4);
    expect(stderr).toContain("KN_CHECKPOINT: the disk is full");
  });

  it("is refused while a process uses the name, and leaves neither folder nor record", SMALL, async () => {
    await using at = await scene();
    await using remote = await fleetOnMemory();
    await remote.fleet.nodes.put("a", nodeRecord("a"));
    const { bus } = remote;
    const service = { name: "kn-block", version: "0.1.0", description: "", endpoints: [], stats: () => ({}) };
    await bus.service({ ...service, metadata: { run: "demo", actor: "block-0" } });
    const argv = ["run", "--runs", at.runs, "--name", "demo", "--nodes", "fleet", at.spec];
    const { code, stderr } = await remote.kn(argv);
    expect(code).toBe(2);
    expect(stderr).toContain("in use");
    expect(await at.left()).toEqual([]);
    expect(await remote.fleet.runs.get("demo")).toBeUndefined();
  });

  it("a signal leaves the run to the fleet and ends with the signal's code", SMALL, async () => {
    await using at = await scene();
    await using remote = await fleetOnMemory();
    await remote.fleet.nodes.put("a", nodeRecord("a"));
    const running = remote.start(["run", "--runs", at.runs, "--name", "demo", "--nodes", "fleet", at.spec]);
    await waitFor(() => running.stdout().includes("2 blocks on a"), "the launch", RUN_MS);
    running.signal("SIGTERM");
    const { code, stderr } = await running.ended;
    expect(code).toBe(143);
    expect(stderr).toContain("the run continues");
    expect((await remote.fleet.runs.get("demo"))?.value.desired).toBe("running");
  });
});
