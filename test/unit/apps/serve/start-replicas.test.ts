import { expect, it } from "vitest";
import { startReplicas } from "../../../../src/apps/serve/start-replicas.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { nodeRecord } from "../cli/cli-scene.ts";
import { NEVER, OPTIONS, servedScene } from "./served-scene.ts";

it("startReplicas places a replica for each block on the nodes of the fleet, until it is disposed of", async () => {
  await using at = await servedScene();
  await at.publish();
  for (const name of ["a", "b"]) await at.fleet.nodes.put(name, nodeRecord(name));
  const parts = (await startReplicas({ ...OPTIONS, replicas: "fleet" }, at, NEVER)) ?? [];
  expect(await at.fleet.serving.all()).toMatchObject([
    { run: "serve-digits", slices: 2, replicas: { "replica-0": "a", "replica-1": "b" } },
  ]);
  expect(at.slices()).toEqual([]);
  for (const part of parts) await part[Symbol.asyncDispose]();
  expect(await at.fleet.serving.all()).toEqual([]);
});

it("startReplicas starts none where others serve it, and rejects where no node can have them", async () => {
  await using at = await servedScene();
  await at.publish();
  expect(await startReplicas({ ...OPTIONS, replicas: "none" }, at, NEVER)).toEqual([]);
  await expect(startReplicas({ ...OPTIONS, replicas: "fleet" }, at, NEVER)).rejects.toThrow(
    /KN_CONFIG.*start one with/,
  );
});

it("startReplicas waits for the first release, which says how many there are, and tells so", async () => {
  await using at = await servedScene();
  const leaving = new AbortController();
  const starting = startReplicas({ ...OPTIONS, replicas: "here" }, at, leaving.signal);
  await waitFor(() => at.lines.length > 0, "a line");
  expect(at.lines).toEqual(["no release of digits is live yet: kn promote digits"]);
  leaving.abort();
  expect(await starting).toBeUndefined();
});
