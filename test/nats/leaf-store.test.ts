/** A site with a JetStream domain of its own behind a leaf-node link reads and follows what lies in the hub's. */
import { expect, it } from "vitest";
import { connectFleet } from "../../src/apps/connect/connect-fleet.ts";
import { readBusAddress } from "../../src/apps/connect/bus-address.ts";
import { inferSubject, observeSubject, runSubject } from "../../src/messages/index.ts";
import { openUpdateShelf } from "../../src/models/updates/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { connectJetStreamStore, type Store } from "../../src/runtime/store/index.ts";
import { describeWithNats, type LeafPair, startLeafPair } from "../support/nats-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { MODEL, trainerOf } from "../unit/models/updates/device-scene.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function stores({ hub, leaf }: LeafPair) {
  const connect = async (address: string): Promise<Store> =>
    connectJetStreamStore({ ...(await readBusAddress(address)), name: "kn test" });
  const atHub = await connect(`nats://127.0.0.1:${hub.port}`);
  const atSite = await connect(`nats://127.0.0.1:${leaf.port}`);
  const overLink = await connect(`nats://127.0.0.1:${leaf.port}?domain=hub`);
  return {
    ...{ atHub, atSite, overLink },
    async [Symbol.asyncDispose]() {
      await Promise.all([atHub.close(), atSite.close(), overLink.close()]);
    },
  };
}

describeWithNats("a site's leaf-node link", () => {
  it("carries what runs and nodes say, and no inputs of users: what they ask, what is computed and observed of it", async () => {
    await using pair = await startLeafPair();
    const connect = (port: number) =>
      connectFleet({ address: `nats://127.0.0.1:${port}`, name: "kn test" }, { log: silentLogger });
    await using hub = await connect(pair.hub.port);
    await using site = await connect(pair.leaf.port);
    const subjects = [
      observeSubject("digits"),
      inferSubject("digits"),
      runSubject("serve-letters", "infer", "replica-0"),
      runSubject("serve-digits", "evt", "replica-0"),
      runSubject("mnist", "evt", "block-0"),
    ];
    for (const [from, to] of [
      [site.bus, hub.bus],
      [hub.bus, site.bus],
    ] as const) {
      const heard = new Set<string>();
      await using _all = to.subscribe("kn.v1.>", ({ subject }) => void heard.add(subject));
      await waitFor(() => {
        for (const subject of subjects) from.publish(subject, bytes("x"));
        return heard.size > 0;
      }, "the link");
      expect([...heard]).toEqual(["kn.v1.mnist.evt.block-0"]);
    }
  });
});

describeWithNats("connectJetStreamStore of another domain", () => {
  it("has the records, blobs and logs of that domain, and changes its records", async () => {
    await using pair = await startLeafPair();
    await using all = await stores(pair);
    const { atHub, atSite, overLink } = all;
    expect(overLink.description).toMatch(/domain=hub$/);
    const [hub, site, link] = [await atHub.kv("b"), await atSite.kv("b"), await overLink.kv("b")];
    await hub.put("key", bytes("hub"));
    await site.put("key", bytes("site"));
    expect((await link.get("key"))?.value).toEqual(bytes("hub"));
    const revision = await link.create("asked", bytes("1"));
    await expect(link.create("asked", bytes("2"))).rejects.toMatchObject({ code: "KN_FENCED" });
    await link.update("asked", bytes("3"), revision);
    expect((await hub.get("asked"))?.value).toEqual(bytes("3"));
    expect(await site.keys()).toEqual(["key"]);
    await link.delete("asked");
    expect(await hub.keys()).toEqual(["key"]);

    const content = new Uint8Array(700_000).fill(7);
    await (await atHub.blobs("b")).put("blob", content);
    await (await atSite.blobs("b")).put("own", bytes("site"));
    const blobs = await overLink.blobs("b");
    expect(Buffer.compare((await blobs.get("blob")) ?? bytes(""), content)).toBe(0);
    expect((await blobs.list()).map(({ name }) => name)).toEqual(["blob"]);
    await expect(blobs.put("other", content)).rejects.toThrow(/KN_CONFIG.*domain hub/);

    await (await atHub.log("history")).append(bytes("hub"));
    const log = await overLink.log("history");
    await expect(log.append(bytes("site"))).rejects.toThrow(/KN_CONFIG.*domain hub/);
    for await (const { data } of log.read()) expect(data).toEqual(bytes("hub"));
  });

  it("watches over a link that is cut: what was put meanwhile is seen after it is back", async () => {
    await using pair = await startLeafPair();
    await using all = await stores(pair);
    const [trainer, learner] = [trainerOf(), await openUpdateShelf(all.atHub, MODEL)];
    const shelf = await openUpdateShelf(all.overLink, MODEL);
    await learner.put(trainer.promote("full", 1));
    await waitFor(async () => (await shelf.newest())?.number === 2, "the first update");
    pair.uplink.cut();
    await learner.put(trainer.promote("masked", 2));
    await expect(shelf.newest()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    pair.uplink.mend();
    const isSeen = async (): Promise<boolean> =>
      (await shelf.newest().catch(() => undefined))?.digest === trainer.digest;
    await waitFor(isSeen, "the second update", 30_000, 100);
  });
});
