import { describe, expect, it } from "vitest";
import { openFleet } from "../../../src/fleet/fleet.ts";
import { launchRun, relaunchRun } from "../../../src/fleet/launch.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { fakeDataset } from "../actors/fake-dataset.ts";
import { nodeRecord, RUN, SLICES, smallSpec } from "./fleet-world.ts";

const dataset = fakeDataset(48);

/** Two clients of one fleet with one node. */
async function scene() {
  const clock = simulatedClock();
  const store = await memoryStore({ clock });
  const fleet = await openFleet(store);
  const clients = [fleet, await openFleet(store)];
  await fleet.nodes.put("a", nodeRecord("a"));
  return {
    fleet,
    launchAll: () =>
      Promise.allSettled(
        clients.map((client, i) =>
          launchRun(
            { run: RUN, spec: smallSpec(`seed=${i + 1}`), slices: SLICES, teacherSlices: [], dataset },
            client,
            clock,
          ),
        ),
      ),
    relaunchAll: () => Promise.allSettled(clients.map((client) => relaunchRun(RUN, dataset, client, () => undefined))),
    record: async () => (await fleet.runs.get(RUN))?.value,
    [Symbol.asyncDispose]: () => store.close(),
  };
}

const valuesOf = <T>(results: readonly PromiseSettledResult<T>[]): T[] =>
  results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
const reasonsOf = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));

describe("launchRun", () => {
  it("of one name by two clients at once: one starts the run, the other is refused with KN_CONFIG", async () => {
    await using at = await scene();
    const results = await at.launchAll();
    expect(valuesOf(results)).toEqual([await at.record()]);
    expect(reasonsOf(results)).toMatchObject([{ code: "KN_CONFIG", value: "a run of that name exists" }]);
  });
});

describe("relaunchRun", () => {
  it("of one run by two clients at once: one starts an attempt, the other is refused with KN_CONFIG", async () => {
    await using at = await scene();
    await at.launchAll();
    await at.fleet.runs.change(RUN, (value) => ({ ...value, desired: "ended" }));
    const results = await at.relaunchAll();
    expect(valuesOf(results)).toEqual([await at.record()]);
    expect(await at.record()).toMatchObject({ attempt: 2, desired: "running" });
    expect(reasonsOf(results)).toMatchObject([{ code: "KN_CONFIG", value: "it is running" }]);
  });

  it("is refused with KN_CONFIG when the run was resumed and has ended meanwhile", async () => {
    await using at = await scene();
    await at.launchAll();
    await at.fleet.runs.change(RUN, (value) => ({ ...value, desired: "ended" }));
    const { runs } = at.fleet;
    const overtaken = {
      ...at.fleet,
      runs: {
        ...runs,
        change: async (...call: Parameters<typeof runs.change>) => {
          await runs.change(RUN, (value) => ({ ...value, attempt: value.attempt + 1 }));
          return runs.change(...call);
        },
      },
    };
    await expect(relaunchRun(RUN, dataset, overtaken, () => undefined)).rejects.toMatchObject({
      code: "KN_CONFIG",
      value: "attempt 2 has begun meanwhile",
    });
  });
});
