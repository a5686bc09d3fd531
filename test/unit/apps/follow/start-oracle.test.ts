import { expect, it } from "vitest";
import { startOracle } from "../../../../src/apps/follow/start-oracle.ts";
import { parseContinuousSpec } from "../../../../src/run-spec/index.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { NEVER, OPTIONS, servedScene } from "../serve/served-scene.ts";

it("startOracle answers by its sections in this process, with a gateway of its own", async () => {
  await using at = await servedScene();
  await at.publish();
  const spec = parseContinuousSpec(
    "{ kind: continuous, name: follow, oracle: { model: digits }, student: { model: small } }",
    { file: "follow.yaml" },
  );
  const { run: _run, metadata: _metadata, ...options } = OPTIONS;
  await using oracle = await startOracle({ ...options, spec, replicas: "here" }, at, NEVER);
  expect(at.slices()).toEqual(["0 of 2", "1 of 2"]);
  expect(at.bus.services.find(({ name }) => name === "kn-gateway")?.metadata).toMatchObject({ role: "oracle" });
  await waitFor(() => oracle.served.live, "a release", 30_000);
  const input = { dtype: "f32", shape: [2, 4], values: new Float32Array(8) } as const;
  const outcome = await oracle.served.infer({
    input,
    client: "test",
    priority: "bulk",
    timeoutMs: 30_000,
    signal: NEVER,
  });
  expect(outcome).toMatchObject({ kind: "answer", release: 1, logits: { shape: [2, 2] } });
});
