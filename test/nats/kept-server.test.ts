import { expect, it } from "vitest";
import { keepServer } from "../../src/apps/connect/kept-server.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { describeWithNats, natsServerPath } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const binary = natsServerPath ?? "";

describeWithNats("keepServer", () => {
  it("starts a killed server again, at its address and with its files, and ends it", async () => {
    await using folder = await temporaryFolder();
    const server = await keepServer({ binary, jetstreamDir: folder.path }, { clock: systemClock() });
    const { pid, url } = server;
    const write = async (): Promise<number> => {
      await using store = await connectJetStreamStore({ servers: url, name: "test" });
      return await (await store.kv("records")).put("a", new Uint8Array([1]));
    };
    const before = await write();
    process.kill(pid, "SIGKILL");
    await waitFor(() => server.pid !== pid, "another process", 30_000);
    expect(server.url).toBe(url);
    expect(await write()).toBe(before + 1);
    await server[Symbol.asyncDispose]();
    expect(() => process.kill(server.pid, 0)).toThrow(/ESRCH/);
  });

  it("ends while it is starting again", async () => {
    await using folder = await temporaryFolder();
    const server = await keepServer({ binary, jetstreamDir: folder.path }, { clock: systemClock() });
    process.kill(server.pid, "SIGKILL");
    await server[Symbol.asyncDispose]();
    expect(() => process.kill(server.pid, 0)).toThrow(/ESRCH/);
  });
});
