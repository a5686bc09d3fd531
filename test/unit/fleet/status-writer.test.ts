/** The status of a run under a fencing token, by two controllers over one store. */
import { describe, expect, it } from "vitest";
import { openFleet } from "../../../src/fleet/fleet.ts";
import { EMPTY_SUMMARY, type RunStatus } from "../../../src/fleet/run-status.ts";
import { createStatusWriter } from "../../../src/fleet/status-writer.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { failingStore, failTimes, switchedFaults } from "../../support/failing-store.ts";
import { RUN } from "./fleet-world.ts";

async function scene() {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const { status: records } = await openFleet(failingStore(await memoryStore({ clock }), faults, clock));
  return { clock, faults, records, now: async () => (await records.get(RUN))?.value };
}

const statusOf = (fence: number, published: number, changes: Partial<RunStatus> = {}): RunStatus => ({
  format: 2,
  run: RUN,
  attempt: 1,
  fence,
  phase: "training",
  done: [],
  state: "feeding",
  control: "coordinating.running",
  coordinator: "a",
  published,
  record: EMPTY_SUMMARY,
  seconds: 0,
  startedAt: "",
  updatedAt: "",
  ...changes,
});

describe("createStatusWriter", () => {
  it("replaces what it has written, and what a controller with a lower or equal token has", async () => {
    const { records, now } = await scene();
    const first = createStatusWriter(records);
    for (const published of [1, 2, 3]) {
      await first(statusOf(4, published));
      expect(await now()).toMatchObject({ fence: 4, published });
    }
    const successor = createStatusWriter(records);
    await successor(statusOf(5, 7));
    await createStatusWriter(records)(statusOf(5, 8));
    expect(await now()).toMatchObject({ fence: 5, published: 8 });
  });

  it("is refused with KN_FENCED once a controller with a higher token has written, and changes nothing", async () => {
    const { records, now } = await scene();
    const former = createStatusWriter(records);
    await former(statusOf(4, 1));
    await createStatusWriter(records)(statusOf(5, 7));
    for (const writer of [former, createStatusWriter(records)]) {
      await expect(writer(statusOf(4, 2))).rejects.toMatchObject({ code: "KN_FENCED", value: "5 above 4" });
      await expect(writer(statusOf(4, 3, { outcome: "failed" }))).rejects.toMatchObject({ code: "KN_FENCED" });
    }
    expect(await now()).toEqual(statusOf(5, 7));
  });

  it("replaces a status of another format, which has no token, and one that was deleted", async () => {
    const { records, now } = await scene();
    await records.kv.put(RUN, new TextEncoder().encode(JSON.stringify({ format: 1, fence: 99 })));
    const writer = createStatusWriter(records);
    await writer(statusOf(4, 1));
    expect(await now()).toEqual(statusOf(4, 1));
    await records.kv.delete(RUN);
    await writer(statusOf(4, 2));
    expect(await now()).toEqual(statusOf(4, 2));
  });

  it("writes nothing without an outcome once it was given an outcome, also while a slow write is under way", async () => {
    const { clock, faults, records, now } = await scene();
    const writer = createStatusWriter(records);
    await writer(statusOf(4, 1));
    faults.now = failTimes(1, { operation: "update" }, { kind: "slow", delayMs: 1_000 });
    const writes = [
      writer(statusOf(4, 2)),
      writer(statusOf(4, 3)),
      writer(statusOf(4, 9, { outcome: "completed" })),
      writer(statusOf(4, 4)),
    ];
    await clock.advance(1_000);
    await Promise.all(writes);
    await writer(statusOf(4, 5));
    expect(await now()).toEqual(statusOf(4, 9, { outcome: "completed" }));
  });

  it("rejects with the store's failure, and the next write succeeds", async () => {
    const { faults, records, now } = await scene();
    const writer = createStatusWriter(records);
    for (const operation of ["create", "update"]) {
      faults.now = failTimes(1, { operation });
      const failing = operation === "create" ? writer : createStatusWriter(records);
      // A writer that has not written yet learns of the other's record by the refusal of its own.
      await expect(failing(statusOf(4, 1))).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
      await failing(statusOf(4, 2));
      expect(await now()).toMatchObject({ published: 2 });
    }
  });
});
