import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { connectNatsBus } from "../../src/runtime/bus/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { describeWithNatsCli, natsCliPath, startTestNats } from "../support/nats-server.ts";

const run = promisify(execFile);

describeWithNatsCli("the nats command", () => {
  it("service list, info and stats show a service and its live figures", async () => {
    await using server = await startTestNats();
    await using bus = await connectNatsBus({ servers: server.url, name: "test" });
    const nats = async (...parameters: string[]): Promise<unknown> => {
      const { stdout } = await run(natsCliPath ?? "", [
        "--server",
        server.url,
        "--no-context",
        "service",
        ...parameters,
        "--json",
      ]);
      return JSON.parse(stdout);
    };
    const handler = ({ respond, data }: { respond(data: Uint8Array): boolean; data: Uint8Array }): void =>
      void respond(data);
    await using service = await bus.service({
      name: "kn-block",
      version: "1.2.3",
      description: "A block",
      metadata: { run: "demo" },
      endpoints: [{ name: "activations", subject: "kn.v1.demo.act.0", handler }],
      stats: () => ({ step: 42 }),
    });
    await bus.request("kn.v1.demo.act.0", new Uint8Array([1]));

    const identity = { name: "kn-block", id: service.id, version: "1.2.3", metadata: { run: "demo" } };
    expect(await nats("list")).toMatchObject([identity]);
    expect(await nats("info", "kn-block", service.id)).toMatchObject({
      info: {
        ...identity,
        description: "A block",
        endpoints: [{ name: "activations", subject: "kn.v1.demo.act.0", queue_group: "" }],
      },
    });
    expect(await nats("stats", "kn-block")).toMatchObject([
      { ...identity, endpoints: [{ name: "activations", num_requests: 1, num_errors: 0, data: { step: 42 } }] },
    ]);
  });

  it("kv get reads a record, and object ls lists the blobs", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using store = await connectJetStreamStore({ servers: server.url, name: "test" });
    const nats = async (...parameters: string[]): Promise<string> => {
      const { stdout } = await run(natsCliPath ?? "", ["--server", server.url, "--no-context", ...parameters]);
      return stdout;
    };
    await (await store.kv("records")).put("a.b", new TextEncoder().encode("the value"));
    expect((await nats("kv", "get", "records", "a.b", "--raw")).trim()).toBe("the value");
    const blobs = await store.blobs("checkpoints");
    await blobs.put("run.block-0", randomBytes(1_000_000));
    await blobs.put("gone", randomBytes(10));
    await blobs.delete("gone");
    expect((await nats("object", "ls", "checkpoints", "--names")).trim()).toBe("run.block-0");
  });
});
