import { expect, it } from "vitest";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { describeWithNats, startTestNats } from "../support/nats-server.ts";
import { waitFor } from "../support/wait-for.ts";

const FAST = { name: "test", reconnectWaitMs: 20, reconnectJitterMs: 0 };
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describeWithNats("connectJetStreamStore", () => {
  it("rejects with KN_UNAVAILABLE and what to do when the server has no JetStream", async () => {
    await using server = await startTestNats();
    const connecting = connectJetStreamStore({ servers: server.url, ...FAST });
    await expect(connecting).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      remedy: expect.stringContaining("nats-server -js") as string,
    });
  });

  it("lets two connections see and fence each other", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await connectJetStreamStore({ servers: server.url, ...FAST });
    await using there = await connectJetStreamStore({ servers: server.url, ...FAST });
    const [mine, theirs] = [await here.kv("leases"), await there.kv("leases")];
    const revision = await mine.create("leader", bytes("here"));
    await expect(theirs.create("leader", bytes("there"))).rejects.toMatchObject({ code: "KN_FENCED" });
    await theirs.update("leader", bytes("there"), revision);
    await expect(mine.update("leader", bytes("here"), revision)).rejects.toMatchObject({ code: "KN_FENCED" });
  });

  it("goes on with a watch after the server was killed and started again", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using store = await connectJetStreamStore({ servers: server.url, ...FAST });
    const kv = await store.kv("records");
    await kv.put("a", bytes("1"));
    const seen: string[] = [];
    const controller = new AbortController();
    const ended = (async () => {
      for await (const change of kv.watch(">", { signal: controller.signal })) {
        if (change.kind === "put") seen.push(`${change.entry.key}=${new TextDecoder().decode(change.entry.value)}`);
      }
    })();
    await waitFor(() => seen.length === 1, "the present value");
    await server.restart();
    await waitFor(() => kv.put("b", bytes("2")).catch(() => undefined), "the server");
    await waitFor(() => seen.includes("b=2"), "the change", 30_000);
    controller.abort();
    await ended;
    expect(seen).toContain("a=1");
  }, 60_000);
});
