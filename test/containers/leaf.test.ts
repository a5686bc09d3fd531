/** A site behind a leaf-node server with a JetStream domain of its own: its link to the hub is cut, and comes back. */
import { expect, it } from "vitest";
import { stopRun } from "../../src/fleet/launch.ts";
import { connectNats } from "../../src/runtime/nats/index.ts";
import { addressOf, createNetwork, hostOf, NATS_PORT, startFleet, startNats } from "../support/containers/fleet.ts";
import { watchRun } from "../support/containers/watched-run.ts";
import { waitFor } from "../support/wait-for.ts";

const LEAF_PORT = 7422;
const CUT_MS = 30_000;
const QUIET_MS = 3_000;
const MIRROR = "KV_edge-status";

const hubConfig = `port: ${NATS_PORT}
server_name: hub
max_payload: 8MB
jetstream { store_dir: /data, domain: hub }
leafnodes { port: ${LEAF_PORT} }
`;
const leafConfig = (hub: string): string => `port: ${NATS_PORT}
server_name: leaf
max_payload: 8MB
jetstream { store_dir: /data, domain: edge }
leafnodes { reconnect: 1, remotes: [{ url: "nats-leaf://${hub}:${LEAF_PORT}" }] }
`;

it("goes on by itself while the link to the hub is cut for 30 s; then the hub hears it again and has what it missed", async () => {
  await using uplink = await createNetwork();
  await using hub = await startNats(uplink, hubConfig, "hub");
  await using site = await startFleet({ "node-1": "native", "node-2": "native" }, leafConfig(hostOf(hub)));
  await uplink.connect(site.nats);

  const { connection } = await connectNats({ servers: addressOf(hub), name: "kn test hub" });
  try {
    let heard = 0;
    connection.subscribe("kn.v1.site.evt.>", {
      callback: () => {
        heard += 1;
      },
    });
    // What runs there on has done, kept at the hub as a mirror of the site's bucket.
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: MIRROR, mirror: { name: "KV_kn-status", domain: "edge" } });
    const mirrored = async (): Promise<number> => (await manager.streams.info(MIRROR)).state.last_seq;

    const run = await watchRun("site", ["training.epochs=500", "data.limit=12800"], site.connected);
    await waitFor(() => heard > 100, "the hub hears the site", 60_000);
    await waitFor(async () => (await mirrored()) > 0, "the mirror has begun", 60_000);

    await uplink.disconnect(site.nats);
    const cutMs = performance.now();
    const stepBefore = run.step;
    await run.advance(20);
    // What was on its way when the link was cut still arrives.
    let [last, sinceMs] = [heard, performance.now()];
    const isQuiet = (): boolean => {
      if (heard !== last) [last, sinceMs] = [heard, performance.now()];
      return performance.now() - sinceMs >= QUIET_MS;
    };
    await waitFor(isQuiet, "the hub hears no more of the site", 20_000);
    const [heardBefore, mirroredBefore] = [heard, await mirrored()];
    await run.advance(20);
    await waitFor(() => performance.now() - cutMs >= CUT_MS, "30 s", 2 * CUT_MS);
    expect(run.step).toBeGreaterThanOrEqual(stepBefore + 40);
    expect([heard, await mirrored()]).toEqual([heardBefore, mirroredBefore]);

    await uplink.connect(site.nats);
    const { revision = 0 } = (await site.connected.fleet.status.get("site")) ?? {};
    expect(revision).toBeGreaterThan(mirroredBefore);
    await waitFor(() => heard > heardBefore, "the hub hears the site again", 60_000);
    await waitFor(async () => (await mirrored()) >= revision, "the mirror has caught up", 60_000);

    await stopRun("site", site.connected.fleet);
    expect((await run.ended()).outcome).toBe("stopped");
    expect(run.audit.violations).toEqual([]);
  } finally {
    await connection.close();
  }
});
