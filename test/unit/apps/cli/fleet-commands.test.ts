import { describe, expect, it } from "vitest";
import { createControlChannel } from "../../../../src/runtime/actor/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { fleetOnMemory, nodeRecord, runRecord, runStatus } from "./cli-scene.ts";

describe("kn nodes", () => {
  it("lists nodes by name with the actors of runs that have not ended", async () => {
    await using scene = await fleetOnMemory();
    const { fleet } = scene;
    for (const name of ["b", "a"]) await fleet.nodes.put(name, nodeRecord(name));
    await fleet.runs.put("demo", runRecord("demo"));
    await fleet.runs.put("past", runRecord("past", { desired: "ended" }));
    const { stdout, code } = await scene.kn(["nodes", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([
      { name: "a", actors: ["demo/coordinator", "demo/feeder", "demo/block-0", "demo/gradient-0"] },
      { name: "b", actors: ["demo/block-1"] },
    ]);
    const table = await scene.kn(["nodes"]);
    expect(table.stdout).toMatch(/b .*tier=edge.*wasm 4\.22\.0.*1\.00 GiB.*block-1.*2026-01-01 00:00:00/);
  });
});

describe("kn runs --bus", () => {
  it("lists the fleet's runs, also one that no coordinator has reported yet", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.runs.put("demo", runRecord("demo"));
    await scene.fleet.runs.put("fresh", runRecord("fresh"));
    await scene.fleet.status.put("demo", runStatus("demo"));
    const { stdout } = await scene.kn(["runs", "--bus", "--json"]);
    expect(JSON.parse(stdout)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ run: "demo", outcome: "feeding", accuracy: 0.5, steps: 7 }),
        expect.objectContaining({ run: "fresh", outcome: "waiting", accuracy: null, steps: null }),
      ]),
    );
  });
});

describe("kn status", () => {
  it("shows the account of every block, and whether it balances", async () => {
    await using scene = await fleetOnMemory();
    const { record } = runStatus("demo");
    const figures = { kind: "Progress", consumed: 7, stalenessSteps: 1, computeMs: 2, receivedBytes: 9 } as const;
    const none = { drops: {}, skipped: {}, sentBytes: {} };
    const status = runStatus("demo", {
      record: {
        ...record,
        progress: {
          "block-0": { ...figures, ...none, applied: 4, pending: 1, step: 7, skipped: { restarted: 2 } },
          "block-1": { ...figures, ...none, applied: 5, pending: 0, step: 7 },
        },
      },
    });
    await scene.fleet.runs.put("demo", runRecord("demo"));
    await scene.fleet.status.put("demo", status);
    const { stdout } = await scene.kn(["status", "demo", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      state: "feeding",
      step: 7,
      totalSteps: 10,
      blocks: [
        { actor: "block-0", node: "a", applied: 4, pending: 1, skipped: { restarted: 2 }, isBalanced: true },
        { actor: "block-1", node: "b", applied: 5, isBalanced: false },
      ],
    });
    expect((await scene.kn(["status", "demo"])).stdout).toContain("OPEN");
  });

  it("names what a run waits for", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.runs.put("demo", runRecord("demo"));
    await scene.fleet.status.put("demo", runStatus("demo", { problem: "maximum number of streams reached" }));
    expect((await scene.kn(["status", "demo"])).stdout).toContain("waiting: maximum number of streams reached");
    expect(JSON.parse((await scene.kn(["status", "demo", "--json"])).stdout)).toMatchObject({
      problem: "maximum number of streams reached",
    });
  });

  it("refuses a run that the fleet does not have", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.runs.put("demo", runRecord("demo"));
    const { code, stderr } = await scene.kn(["status", "absent"]);
    expect(code).toBe(2);
    expect(stderr).toContain("demo");
  });

  it.each([
    ["KN_SHAPE", 2],
    ["KN_UNAVAILABLE", 3],
    ["KN_CHECKPOINT", 4],
    ["KN_NUMERIC", 1],
    [undefined, 1],
  ])("ends with the exit code of %s that the run failed with: %i", async (code, exit) => {
    await using scene = await fleetOnMemory();
    const failed = { outcome: "failed", error: "it broke", ...(code === undefined ? {} : { code }) } as const;
    await scene.fleet.runs.put("demo", runRecord("demo"));
    await scene.fleet.status.put("demo", runStatus("demo", failed));
    for (const argv of [
      ["status", "demo"],
      ["status", "demo", "--follow"],
      ["watch", "demo"],
    ]) {
      expect((await scene.kn(argv)).code).toBe(exit);
    }
  });

  it("--follow prints a line per change until the run ends, or until a signal", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.runs.put("demo", runRecord("demo"));
    await scene.fleet.status.put("demo", runStatus("demo"));
    const following = scene.start(["status", "demo", "--follow"]);
    await waitFor(() => following.stdout().includes("feeding | step 7/10"), "the first line");
    await scene.fleet.status.put("demo", runStatus("demo", { state: "ended", published: 10, outcome: "completed" }));
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    expect(stdout.match(/^\w+ \| step/gm)).toEqual(["feeding | step", "ended | step", "ended | step"]);

    await scene.fleet.status.put("demo", runStatus("demo"));
    const left = scene.start(["status", "demo", "--follow"]);
    await waitFor(() => left.stdout() !== "", "a line");
    left.signal("SIGINT");
    expect((await left.ended).code).toBe(0);
  });
});

describe("kn watch", () => {
  it("--once draws nodes, blocks, boundaries and events as the actors report them", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.nodes.put("a", nodeRecord("a"));
    await scene.fleet.runs.put("demo", runRecord("demo"));
    await scene.fleet.status.put("demo", runStatus("demo"));
    const watching = scene.start(["watch", "demo", "--once"]);
    const { emit } = createControlChannel({ run: "demo", actor: "block-0" }, { bus: scene.bus, log: silentLogger });
    const reporting = setInterval(() => {
      emit({ kind: "StateEntered", state: "running.idle" });
    }, 20);
    const { code, stdout } = await watching.ended;
    clearInterval(reporting);
    expect(code).toBe(0);
    expect(stdout).toMatch(/demo \| feeding.* \| step 7\/10/);
    expect(stdout).toMatch(/a .*wasm/);
    expect(stdout).toMatch(/b .*gone/);
    expect(stdout).toMatch(/block-1 .*no heartbeat yet/);
  });
});

describe("kn stop", () => {
  it("marks the run, waits for its end and names the command that continues it", async () => {
    await using scene = await fleetOnMemory();
    const { fleet } = scene;
    await fleet.nodes.put("a", nodeRecord("a"));
    await fleet.runs.put("demo", runRecord("demo"));
    await fleet.status.put("demo", runStatus("demo"));
    const stopping = scene.start(["stop", "demo"]);
    await waitFor(async () => (await fleet.runs.get("demo"))?.value.desired === "stopping", "the mark");
    await fleet.status.put("demo", runStatus("demo", { outcome: "stopped" }));
    const { code, stdout } = await stopping.ended;
    expect(code).toBe(0);
    expect(stdout).toContain("demo stopped at step 7");
    expect(stdout).toContain("kn resume demo --nodes fleet");
  });

  it("reports the end of a run that has ended before", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.runs.put("demo", runRecord("demo", { desired: "ended" }));
    await scene.fleet.status.put("demo", runStatus("demo", { outcome: "completed" }));
    const { stdout } = await scene.kn(["stop", "demo", "--json"]);
    expect(JSON.parse(stdout)).toEqual({ run: "demo", outcome: "completed", step: 7 });
  });

  it("ends with 3 and says so when the fleet has no node; the run stays marked", async () => {
    await using scene = await fleetOnMemory();
    await scene.fleet.runs.put("demo", runRecord("demo"));
    const { code, stderr } = await scene.kn(["stop", "demo"]);
    expect(code).toBe(3);
    expect(stderr).toContain("no nodes");
    expect((await scene.fleet.runs.get("demo"))?.value.desired).toBe("stopping");
  });
});
