/** Both images in one fleet. */
import { expect, it } from "vitest";
import { startFleet } from "../support/containers/fleet.ts";
import { expectWhole, watchRun } from "../support/containers/watched-run.ts";

it("trains on a native and a wasm container in one run", async () => {
  await using fleet = await startFleet({ "node-1": "native", "node-2": "wasm" });
  const backends = (await fleet.connected.fleet.nodes.all()).map(({ name, backend }) => `${name} ${backend}`);
  expect(backends.sort()).toEqual(["node-1 native", "node-2 wasm"]);
  const placement = "placement={block-0: node-2, block-1: node-1, block-2: node-2, block-3: node-1}";
  const run = await watchRun("mixed", ["data.limit=25600", placement], fleet.connected);
  const accuracy = expectWhole(run, await run.ended());
  expect(accuracy).toBeGreaterThanOrEqual(0.95);
});
