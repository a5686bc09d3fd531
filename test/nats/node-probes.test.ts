/** What an orchestrator sees of a node: its probes, its metrics and its end, over a real server that comes and goes. */
import { expect, it } from "vitest";
import { type NodeSettings, runNode } from "../../src/apps/node/run-node.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { describeWithNats, startTestNats, type TestNatsOptions } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const LIMIT_MS = 60_000;

async function scene(options: TestNatsOptions, settings: Partial<NodeSettings> = {}) {
  const nats = await startTestNats(options);
  const folder = await temporaryFolder();
  const leaving = new AbortController();
  const said: string[] = [];
  const ended = runNode(
    { bus: nats.url, name: "edge-1", backend: "wasm", state: folder.path, http: "127.0.0.1:0", ...settings },
    {
      clock: systemClock(),
      env: process.env,
      softwareVersion: "0.1.0",
      openLog: () => ({ log: silentLogger, [Symbol.asyncDispose]: () => Promise.resolve() }),
      say: (line) => void said.push(line),
    },
    leaving.signal,
  );
  ended.catch(() => undefined);
  const address = await waitFor(() => /probes and metrics at (\S+)/.exec(said.join("\n"))?.[1], "its address");
  const get = async (path: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(`http://${address}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return {
    nats,
    ended,
    get,
    becomes: (path: string, status: number) =>
      waitFor(async () => ((await get(path)).status === status ? get(path) : undefined), `${path} ${status}`, LIMIT_MS),
    leave: () => {
      leaving.abort();
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await ended.catch(() => undefined);
      await nats[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describeWithNats("a node's probes", () => {
  it(
    "are alive at once, ready when it has joined, unready with the reason while the server is away, and gone when it has left",
    async () => {
      await using node = await scene({ jetstream: true });
      expect((await node.get("/healthz")).status).toBe(200);
      expect((await node.get("/readyz")).status).toBe(503);
      await node.becomes("/readyz", 200);
      expect((await node.get("/startupz")).status).toBe(200);
      expect((await node.get("/metrics")).text).toContain('kn_node_info{node="edge-1",backend="wasm"');
      expect((await node.get("/secrets")).status).toBe(404);

      await node.nats.crash();
      const { text } = await node.becomes("/readyz", 503);
      expect(text).toContain(node.nats.url);
      expect((await node.get("/healthz")).status).toBe(200);
      await node.nats.restart();
      await node.becomes("/readyz", 200);
      expect((await node.get("/metrics")).text).toContain("kn_bus_reconnects_total 1");

      node.leave();
      await node.ended;
      await expect(node.get("/healthz")).rejects.toThrow();
    },
    LIMIT_MS,
  );

  it(
    "say that the server has no JetStream, and wait for one that has",
    async () => {
      await using node = await scene({ jetstream: false });
      await node.becomes("/startupz", 200);
      const { text } = await waitFor(async () => {
        const answer = await node.get("/readyz");
        return answer.text.includes("JetStream") ? answer : undefined;
      }, "the reason");
      expect(text).toContain("start it with `nats-server -js");
    },
    LIMIT_MS,
  );

  it("refuses an address that is taken, and one that is none", async () => {
    await using first = await scene({ jetstream: true });
    const taken = new URL(first.nats.url).host;
    for (const http of [taken, "here", "127.0.0.1:99999"]) {
      const starting = runNode(
        { bus: first.nats.url, backend: "cpu", state: ".", http },
        {
          clock: systemClock(),
          env: {},
          softwareVersion: "0.1.0",
          openLog: () => ({ log: silentLogger, [Symbol.asyncDispose]: () => Promise.resolve() }),
          say: () => undefined,
        },
        new AbortController().signal,
      );
      await expect(starting).rejects.toMatchObject({ code: "KN_CONFIG" });
    }
  });
});
