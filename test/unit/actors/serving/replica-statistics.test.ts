/** `nats service stats` of a replica. */
import { expect, it } from "vitest";
import { servingScene, type ServingScene } from "./serving-scene.ts";

async function statistics(scene: ServingScene): Promise<unknown> {
  await using bus = scene.broker.connect({ clock: scene.clock });
  const { data } = await bus.request("$SRV.STATS.kn-replica", new Uint8Array(0));
  const { endpoints } = JSON.parse(new TextDecoder().decode(data)) as { endpoints: { data: unknown }[] };
  return endpoints[0]?.data;
}

it("createReplicaActor shows the tensors in its compute worker, as counted a moment ago", async () => {
  await using scene = await servingScene();
  const { clock, tensors, gateway } = scene;
  tensors.set("replica-0", 12);
  await scene.release(1, gateway);
  await clock.advance(1_000);
  expect(await statistics(scene)).toMatchObject({ tensors: 12 });
  tensors.set("replica-0", 24);
  await clock.advance(1_000);
  expect(await statistics(scene)).toMatchObject({ tensors: 24 });
});

it("createReplicaActor keeps the last count while its worker does not answer", async () => {
  await using scene = await servingScene();
  const { clock, tensors, gateway } = scene;
  tensors.set("replica-0", 12);
  await scene.release(1, gateway);
  await clock.advance(1_000);
  const thaw = scene.freeze("replica-0");
  tensors.set("replica-0", 24);
  await clock.advance(5_000);
  expect(await statistics(scene)).toMatchObject({ tensors: 12 });
  thaw();
  await clock.advance(1_000);
  expect(await statistics(scene)).toMatchObject({ tensors: 24 });
});
