import { describe, expect, it } from "vitest";
import { createGatewayReleases } from "../../../../src/actors/gateway/gateway-releases.ts";
import { createReplicaTable } from "../../../../src/actors/gateway/replica-table.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { BY, modelScene } from "../../models/model-scene.ts";

describe("createGatewayReleases", () => {
  it("answers with the release before while the live one is lost to all replicas", async () => {
    const { clock, model, publish } = await modelScene();
    const table = createReplicaTable();
    const announce = (...ready: number[]): void => {
      const held = ready.map((release) => ({ release, state: "ready" as const }));
      const state = {
        kind: "ReplicaState" as const,
        instance: "i",
        slice: 0,
        slices: 1,
        state: "serving",
        held,
        inFlight: 0,
        host: "machine",
      };
      table.observe("replica-0", state, clock.now());
      releases.reconcile();
    };
    const releases = createGatewayReleases(
      { id: "gateway-0" },
      { model, table, clock, log: silentLogger, onChange: () => undefined },
    );
    const ending = new AbortController();
    const running = releases.run(ending.signal);
    const live = async (): Promise<number | undefined> => {
      await clock.advance(1_000);
      releases.reconcile();
      return releases.live?.release;
    };
    const [first, second] = [(await publish(1)).release, (await publish(2)).release];
    await model.promote(first, BY);
    announce(first, second);
    expect(await live()).toBe(first);
    await model.promote(second, BY);
    expect(await live()).toBe(second);

    table.lacks("replica-0", second); // it had dropped it before it knew of the promotion
    expect(await live()).toBe(first);
    expect(releases.resolve("live")?.release).toBe(first);
    announce(second, first);
    expect(await live()).toBe(second);
    ending.abort();
    await clock.advance(1_000);
    await running;
  });
});
