/**
 * Random schedules of faults on a small run in simulated time: the run completes, or ends with a code that says why, and
 * nothing is left. `KN_SCHEDULES` sets their number (10000 for the long run), `KN_SEED` the first of them.
 */
import { expect, it } from "vitest";
import { randomFrom } from "../../support/random.ts";
import { createFaultSchedule } from "./fault-schedule.ts";
import { createWorld, type WorldNode } from "./fleet-world.ts";

const SCHEDULES = Number(process.env["KN_SCHEDULES"] ?? 300);
const FIRST_SEED = Number(process.env["KN_SEED"] ?? 1);
/** Bound of a run, simulated. */
const LIMIT_MS = 600_000;

async function play(seed: number): Promise<string> {
  const draw = randomFrom(seed * 2654435761);
  const schedule = createFaultSchedule(draw);
  const world = await createWorld({ nodes: ["a", "b", "c"], workMs: 200, ...schedule.options });
  let outcome = "";
  try {
    await world.launch();
    const faults = schedule.run(world);
    await world.until(() => faults.isOver, "the end of the faults", LIMIT_MS);
    const status = await world.end(LIMIT_MS);
    const isMember = (name: string, { agent, record }: WorldNode): boolean =>
      record.name === name && !["expelled", "gone"].includes(agent.state);
    // The successor's, or that of the one before if the successor could not renew its name until that one came back.
    await world.until(
      () =>
        [...world.nodes.keys()].every(
          (name) => [...world.nodes.values(), ...world.replaced].filter((node) => isMember(name, node)).length <= 1,
        ),
      "one process of each name",
      30_000,
    );
    outcome = status.outcome ?? "";
    if (outcome === "failed") expect(status.code, status.error).toMatch(/^KN_/);
    else expect(outcome).toBe("completed");
    expect((await world.record()).desired).toBe("ended");
    // One that a fault kept from its release expires.
    await world.until(
      async () => (await world.fleet.leases.keys("small.>")).length === 0,
      "the end of the leases",
      30_000,
    );
  } finally {
    await world[Symbol.asyncDispose]();
  }
  expect(await world.leftOvers()).toEqual([]);
  return outcome;
}

it(
  `run control: ${SCHEDULES} random schedules of faults each end the run with an outcome, and leave nothing`,
  async () => {
    console.log(`seeds ${FIRST_SEED} to ${FIRST_SEED + SCHEDULES - 1}: KN_SEED=<seed> KN_SCHEDULES=1 repeats one`);
    const outcomes: Record<string, number> = {};
    const failures: string[] = [];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
      try {
        const outcome = await play(seed);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      } catch (error) {
        failures.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    expect(failures).toEqual([]);
    console.log(JSON.stringify(outcomes));
    // Faults that pass by themselves do not end a run.
    expect(outcomes["completed"] ?? 0).toBeGreaterThan(SCHEDULES / 2);
  },
  20 * SCHEDULES * 1_000,
);
