import { expect, it } from "vitest";
import { type Fleet, openFleet } from "../../../src/fleet/fleet.ts";
import { PRESENCE_TTL_MS } from "../../../src/fleet/records.ts";
import { openServingOffice } from "../../../src/fleet/serving-office.ts";
import { servingSpecSchema } from "../../../src/run-spec/index.ts";
import { type SimulatedClock, simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { nodeRecord } from "../apps/cli/cli-scene.ts";

async function fleetOf(clock: SimulatedClock): Promise<Fleet> {
  const fleet = await openFleet(await memoryStore({ clock }));
  const announce = async (): Promise<void> => {
    for (const name of ["a", "b"]) await fleet.nodes.put(name, nodeRecord(name));
    clock.setTimeout(() => void announce(), PRESENCE_TTL_MS / 2);
  };
  await announce();
  return fleet;
}

/** Resolves at once; the office opens while the clock is advanced. */
function open(model: string, holder: string, fleet: Fleet, clock: SimulatedClock) {
  const spec = servingSpecSchema.parse({ kind: "serving", name: model, model });
  const opening = openServingOffice(
    { run: `serve-${model}`, spec, slices: 1, holder },
    { fleet, clock, log: silentLogger },
  );
  opening.catch(() => undefined); // awaited by the test
  return opening;
}

it("openServingOffice places the replicas of two models on different nodes, and takes its record away at its end", async () => {
  const clock = simulatedClock();
  const fleet = await fleetOf(clock);
  const oracle = await open("oracle", "one", fleet, clock);
  const student = await open("student", "one", fleet, clock);
  expect([oracle.replicas, student.replicas]).toEqual([{ "replica-0": "a" }, { "replica-0": "b" }]);
  await oracle[Symbol.asyncDispose]();
  await student[Symbol.asyncDispose]();
  expect(await fleet.serving.all()).toEqual([]);
});

it("openServingOffice tells which replicas wait for a node", async () => {
  const clock = simulatedClock();
  const fleet = await fleetOf(clock);
  const placement = { replica: "a", "replica-1": "tier=cloud" };
  const spec = servingSpecSchema.parse({ kind: "serving", name: "digits", model: "digits", placement });
  const warnings: object[] = [];
  const log = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  const options = { run: "serve-digits", spec, slices: 2, holder: "one" };
  await using office = await openServingOffice(options, { fleet, clock, log });
  expect(office.replicas).toEqual({ "replica-0": "a" });
  expect(warnings).toEqual([{ model: "digits", replicas: { "replica-0": "a" }, waiting: 1 }]);
  await fleet.nodes.put("c", nodeRecord("c", { labels: { tier: "cloud" } }));
  await clock.advance(PRESENCE_TTL_MS / 2);
  expect(office.replicas).toEqual({ "replica-0": "a", "replica-1": "c" });
});

it("openServingOffice waits for the end of the record of a process that is gone", async () => {
  const clock = simulatedClock();
  const fleet = await fleetOf(clock);
  const killed = await open("digits", "killed", fleet, clock);
  const record = (await fleet.serving.get("serve-digits"))?.value;
  await killed[Symbol.asyncDispose]();
  if (record !== undefined) await fleet.serving.put("serve-digits", record);
  const opening = open("digits", "next", fleet, clock);
  await clock.advance(2 * PRESENCE_TTL_MS);
  await using office = await opening;
  expect(office.replicas).toEqual({ "replica-0": "a" });
  expect(await fleet.serving.all()).toMatchObject([{ holder: "next" }]);
});

it("openServingOffice rejects with KN_CONFIG while another process renews the record", async () => {
  const clock = simulatedClock();
  const fleet = await fleetOf(clock);
  await using _serving = await open("digits", "one", fleet, clock);
  const opening = open("digits", "two", fleet, clock);
  await clock.advance(PRESENCE_TTL_MS);
  await expect(opening).rejects.toThrow(/KN_CONFIG.*one process at a time.*one does.*--nodes none/);
});
