/** What an orchestrator sees of a node: its probes, its metrics and its end, over a real server that comes and goes. */
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { connectFleet } from "../../src/apps/connect/connect-fleet.ts";
import { PRESENCE_TTL_MS, type RunRecordEntry, WIRE_VERSION } from "../../src/fleet/records.ts";
import { type NodeSettings, runNode } from "../../src/apps/node/run-node.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { acquireLease } from "../../src/runtime/lease/index.ts";
import { type Logger, silentLogger } from "../../src/runtime/telemetry/index.ts";
import { parseTrainingSpec } from "../../src/run-spec/index.ts";
import { describeWithNats, startTestNats, type TestNatsOptions } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const LIMIT_MS = 60_000;
const SPEC = new URL("../../examples/mnist-synthetic.yaml", import.meta.url);

async function scene(options: TestNatsOptions, settings: Partial<NodeSettings> = {}) {
  const nats = await startTestNats(options);
  const folder = await temporaryFolder();
  const leaving = new AbortController();
  const said: string[] = [];
  /** States of the node, as logged. */
  const entered: unknown[] = [];
  const log: Logger = { ...silentLogger, info: (fields) => "state" in fields && entered.push(fields.state) };
  const ended = runNode(
    { bus: nats.url, name: "edge-1", backend: "wasm", state: folder.path, http: "127.0.0.1:0", ...settings },
    {
      clock: systemClock(),
      env: process.env,
      softwareVersion: "0.1.0",
      openLog: () => ({ log, [Symbol.asyncDispose]: () => Promise.resolve() }),
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
    entered,
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

  it(
    "say that a run goes on in another version of the messages, which the node does not touch, until it has ended",
    async () => {
      await using node = await scene({ jetstream: true });
      await node.becomes("/readyz", 200);
      await using connected = await connectFleet({ address: node.nats.url, name: "kn test" }, { log: silentLogger });
      const record: RunRecordEntry = {
        format: 1,
        run: "newer",
        wireVersion: WIRE_VERSION + 1,
        desired: "running",
        spec: parseTrainingSpec(await readFile(SPEC, "utf8"), { file: SPEC.pathname, set: [] }),
        slices: [],
        teacherSlices: [],
        phases: [{ phase: "training", epochs: 1, totalSteps: 468, startAfter: 0 }],
        phase: "training",
        dataset: "any",
        attempt: 1,
        actors: { "block-0": "edge-1", coordinator: "edge-1" },
        createdAt: "2026-01-01T00:00:00Z",
      };
      await connected.fleet.runs.put("newer", record);
      const { text } = await node.becomes("/readyz", 503);
      expect(text).toContain(`run newer uses version ${WIRE_VERSION + 1} of the messages, this node ${WIRE_VERSION}`);
      expect((await node.get("/healthz")).status).toBe(200);
      expect((await node.get("/metrics")).text).not.toContain('run="newer"');
      expect(await connected.fleet.leases.keys()).toEqual([]);

      await connected.fleet.runs.put("newer", { ...record, desired: "ended" });
      await node.becomes("/readyz", 200);
    },
    LIMIT_MS,
  );

  it(
    "end with a node that is asked to leave while it joins",
    async () => {
      await using node = await scene({ jetstream: true });
      await using connected = await connectFleet({ address: node.nats.url, name: "kn test" }, { log: silentLogger });
      const { nodes } = connected.fleet;
      await using _held = await acquireLease(
        { key: "edge-1", holder: "another", instance: "another-1", ttlMs: PRESENCE_TTL_MS },
        { leases: nodes.kv, clock: systemClock(), log: silentLogger },
        AbortSignal.timeout(LIMIT_MS),
      );
      await waitFor(() => node.entered.includes("joining"), "its attempt to join", LIMIT_MS);
      node.leave();
      await node.ended;
      expect(node.entered).toEqual(["joining", "leaving", "gone"]);
      await expect(node.get("/healthz")).rejects.toThrow();
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
