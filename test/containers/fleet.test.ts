/** NATS and nodes, each in a container of its own, train while containers are killed, cut off, frozen and restarted. */
import { expect, it } from "vitest";
import { becomesReady, type ContainerFleet, signal, startFleet } from "../support/containers/fleet.ts";
import { expectWhole, watchRun } from "../support/containers/watched-run.ts";
import { waitFor } from "../support/wait-for.ts";

const GONE_MS = 60_000;

function containerOf(fleet: ContainerFleet, node: string) {
  const container = fleet.nodes.get(node);
  if (container === undefined) throw new Error(`there is no ${node}`);
  return container;
}

async function isThere({ connected }: ContainerFleet, node: string): Promise<boolean> {
  return (await connected.fleet.nodes.get(node).catch(() => undefined)) !== undefined;
}

it("trains to 98 % while a node is killed, one cut off, NATS restarted and one frozen until it is fenced; every batch is accounted for", async () => {
  await using fleet = await startFleet({
    "node-1": "native",
    "node-2": "native",
    "node-3": "native",
    "node-4": "native",
  });
  const run = await watchRun("containers", ["checkpoint.everySteps=20"], fleet.connected);

  await run.reach(0.1);
  const killed = containerOf(fleet, await run.nodeOf("block-1"));
  await signal(killed, "kill");
  await signal(killed, "start");

  await run.reach(0.3);
  const cut = await run.nodeOf("block-2");
  await fleet.network.disconnect(containerOf(fleet, cut));
  await waitFor(async () => !(await isThere(fleet, cut)), `${cut} is gone`, GONE_MS);
  await fleet.network.connect(containerOf(fleet, cut));
  await waitFor(() => isThere(fleet, cut), `${cut} is back`, GONE_MS);

  await run.reach(0.5);
  await signal(fleet.nats, "restart");

  await run.reach(0.7);
  const frozen = await run.nodeOf("block-3");
  await signal(containerOf(fleet, frozen), "pause");
  await waitFor(async () => (await run.nodeOf("block-3")) !== frozen, "block-3 has moved", GONE_MS);
  await run.advance(10);
  await signal(containerOf(fleet, frozen), "unpause");

  const accuracy = expectWhole(run, await run.ended());
  expect(accuracy).toBeGreaterThanOrEqual(0.98);
  // A killed, a cut off and a frozen one had to begin anew somewhere; a restarted server ends nobody.
  const { "block-0": first, ...others } = run.audit.incarnations;
  expect(first).toBe(1);
  for (const incarnations of Object.values(others)) expect(incarnations).toBeGreaterThanOrEqual(2);
  await becomesReady(containerOf(fleet, frozen));
});
