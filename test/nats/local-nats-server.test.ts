import { expect, it } from "vitest";
import { startLocalNatsServer } from "../../src/runtime/nats/local-nats-server.ts";
import { connectNatsBus } from "../../src/runtime/bus/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { describeWithNats, natsServerPath } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const binary = natsServerPath ?? "";

describeWithNats("startLocalNatsServer", () => {
  it("starts on a free port of this machine, takes 8 MiB messages, and stops", async () => {
    const server = await startLocalNatsServer({ binary });
    expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
    const bus = await connectNatsBus({ servers: server.url, name: "test" });
    expect(bus.maxPayloadBytes).toBe(8 * 1024 * 1024);
    await bus.close();
    await server.stop();
    expect(await server.closed).toBeUndefined();
    await server.stop(); // twice is no error
  });

  it("keeps JetStream's files in the folder over a restart", async () => {
    await using folder = await temporaryFolder();
    const revisions: (number | undefined)[] = [];
    for (let round = 0; round < 2; round += 1) {
      await using server = await startLocalNatsServer({ binary, jetstreamDir: folder.path });
      await using store = await connectJetStreamStore({ servers: server.url, name: "test" });
      const kv = await store.kv("records");
      if (round === 0) revisions.push(await kv.put("a", new Uint8Array([1])));
      else revisions.push((await kv.get("a"))?.revision);
    }
    expect(revisions[1]).toBe(revisions[0]);
  });

  it("rejects with KN_UNAVAILABLE that names the port when it is in use", async () => {
    await using first = await startLocalNatsServer({ binary });
    const second = startLocalNatsServer({ binary, port: first.port });
    await expect(second).rejects.toMatchObject({ code: "KN_UNAVAILABLE", value: `port ${first.port} is in use` });
  });

  it("rejects with KN_UNAVAILABLE when the program is not there", async () => {
    const starting = startLocalNatsServer({ binary: "/does/not/exist" });
    await expect(starting).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      value: expect.stringContaining("ENOENT") as string,
    });
  });

  it("rejects with KN_UNAVAILABLE and the server's complaint when it does not come up", async () => {
    const starting = startLocalNatsServer({ binary, host: "203.0.113.1" }); // an address of documentation: not ours
    await expect(starting).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      value: expect.stringContaining("[FTL]") as string,
    });
  });

  it("rejects with the signal's reason on abort", async () => {
    const reason = new Error("enough");
    await expect(startLocalNatsServer({ binary, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const starting = startLocalNatsServer({ binary, signal: controller.signal });
    controller.abort(reason);
    await expect(starting).rejects.toBe(reason);
  });

  it("closed tells when somebody else ended it", async () => {
    await using server = await startLocalNatsServer({ binary });
    process.kill(server.pid, "SIGKILL");
    expect(await server.closed).toMatchObject({ code: "KN_UNAVAILABLE", value: "SIGKILL" });
  });
});
