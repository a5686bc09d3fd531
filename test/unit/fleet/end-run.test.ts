/** The end of a run whose nodes are gone, from a client. */
import { describe, expect, it } from "vitest";
import { endRunWithoutNodes } from "../../../src/fleet/end-run.ts";
import { openFleet } from "../../../src/fleet/fleet.ts";
import { launchRun } from "../../../src/fleet/launch.ts";
import { EMPTY_SUMMARY, type RunStatus } from "../../../src/fleet/run-status.ts";
import { openCheckpoints, scopeOfRun } from "../../../src/runtime/artifacts/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";
import { nodeRecord, RUN, SLICES, smallSpec } from "./fleet-world.ts";

/** A run that was launched on node a, which is gone. */
async function scene() {
  const clock = simulatedClock();
  const store = await memoryStore({ clock });
  const fleet = await openFleet(store);
  await fleet.nodes.put("a", nodeRecord("a"));
  const record = await launchRun(
    { run: RUN, spec: smallSpec(), slices: SLICES, teacherSlices: [], dataset: fakeDataset(48) },
    fleet,
    clock,
  );
  await fleet.nodes.kv.delete("a");
  const statusOf = (changes: Partial<RunStatus>): RunStatus => ({
    format: 2,
    run: RUN,
    attempt: 1,
    fence: 7,
    phase: "training",
    done: [],
    state: "feeding",
    control: "coordinating.running",
    coordinator: "a",
    published: 20,
    record: { ...EMPTY_SUMMARY, step: 18, generation: 12, epochs: 1 },
    seconds: 5,
    startedAt: "2000-01-01T00:00:00.000Z",
    updatedAt: "2000-01-01T00:00:01.000Z",
    ...changes,
  });
  return {
    fleet,
    record,
    statusOf,
    end: () => endRunWithoutNodes(RUN, fleet, clock),
    desired: async () => (await fleet.runs.get(RUN))?.value.desired,
    /** Commits a generation, as the coordinator did. */
    async commit(generation: number) {
      const checkpoints = await openCheckpoints(store, scopeOfRun(RUN));
      const at = { attempt: 1, generation };
      await checkpoints.commit({
        ...at,
        sequence: generation,
        step: generation,
        epoch: 1,
        phase: "training",
        actors: {},
      });
    },
  };
}

describe("endRunWithoutNodes", () => {
  it("ends the run as stopped at its last committed checkpoint, and keeps what its controller has written", async () => {
    const { commit, desired, end, fleet, statusOf } = await scene();
    const evaluations = [{ evaluation: 1, step: 12, samples: 8, accuracy: 0.5, loss: 1, atMs: 1 }];
    const before = statusOf({});
    await fleet.status.put(RUN, { ...before, record: { ...before.record, evaluations } });
    await commit(15);
    const status = await end();
    expect(status).toMatchObject({
      outcome: "stopped",
      fence: 7,
      published: 20,
      seconds: 5,
      record: { step: 15, generation: 15, epochs: 1, evaluations },
    });
    expect((await fleet.status.get(RUN))?.value).toEqual(status);
    expect(await desired()).toBe("ended");
  });

  it("ends a run that never began, at step 0", async () => {
    const { desired, end, record } = await scene();
    expect(await end()).toMatchObject({
      outcome: "stopped",
      fence: 0,
      published: 0,
      coordinator: record.actors.coordinator,
      startedAt: record.createdAt,
      record: EMPTY_SUMMARY,
    });
    expect(await desired()).toBe("ended");
  });

  it("takes nothing of an earlier attempt's record but its finished phases and its fencing token", async () => {
    const { end, fleet, statusOf } = await scene();
    await fleet.runs.change(RUN, (value) => ({ ...value, attempt: 2 }));
    await fleet.status.put(RUN, statusOf({ outcome: "failed" }));
    expect(await end()).toMatchObject({ attempt: 2, outcome: "stopped", fence: 7, record: { step: 0, generation: 0 } });
  });

  it("leaves an outcome alone that is there, and returns it", async () => {
    const { end, fleet, statusOf } = await scene();
    const completed = statusOf({ outcome: "completed" });
    await fleet.status.put(RUN, completed);
    expect(await end()).toEqual(completed);
  });

  it("refuses while a node of the run is present, or its controller holds the lease; other nodes do not count", async () => {
    const { desired, end, fleet } = await scene();
    await fleet.nodes.put("z", nodeRecord("z"));
    await fleet.nodes.put("a", nodeRecord("a"));
    await expect(end()).rejects.toMatchObject({ code: "KN_CONFIG", value: "a" });
    await fleet.nodes.kv.delete("a");
    await fleet.leases.put(`${RUN}.coordinator`, new TextEncoder().encode("{}"));
    await expect(end()).rejects.toMatchObject({ code: "KN_CONFIG", value: "its controller holds the lease" });
    expect(await desired()).toBe("running");
    await fleet.leases.delete(`${RUN}.coordinator`);
    expect(await end()).toMatchObject({ outcome: "stopped" });
  });

  it("completes the end of a run that is to be ended, though its node is present", async () => {
    const { end, fleet } = await scene();
    await fleet.nodes.put("a", nodeRecord("a"));
    await fleet.runs.change(RUN, (value) => ({ ...value, desired: "ended" }));
    expect(await end()).toMatchObject({ outcome: "stopped" });
  });
});
