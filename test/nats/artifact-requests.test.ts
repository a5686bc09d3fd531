import { expect, it } from "vitest";
import { createActorMemory, openCheckpoints, scopeOfRun } from "../../src/runtime/artifacts/index.ts";
import { connectNats } from "../../src/runtime/nats/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { describeWithNats, startTestNats } from "../support/nats-server.ts";

const content = (generation: number) => ({
  metadata: { generation: String(generation) },
  tensors: { w: { dtype: "f32" as const, shape: [4], values: new Float32Array(4) } },
});

/** Subjects without what is new each time: ids of chunks, names of blobs. */
const kindOf = (subject: string): string => {
  const [head = "", , third] = subject.split(".");
  return head === "$O" ? `$O ${third}` : subject.split(".").slice(0, 5).join(".");
};

describeWithNats("checkpoints in JetStream", () => {
  it("a save sends as many requests, and streams, keys and messages are as many, at generation 1,000 as at 10", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using store = await connectJetStreamStore({ servers: server.url, name: "test" });
    const { connection } = await connectNats({ servers: server.url, name: "count" });
    const requests = new Map<string, number>();
    const subscription = connection.subscribe(">", {
      callback(_, { subject }) {
        if (subject.startsWith("_INBOX.")) return;
        const kind = kindOf(subject);
        requests.set(kind, (requests.get(kind) ?? 0) + 1);
      },
    });
    const manager = await connection.jetstreamManager();
    const checkpoints = await openCheckpoints(store, scopeOfRun("r"));
    const options = { actor: "block-0", attempt: 1, fence: 1, from: undefined };
    const memory = createActorMemory(options, { checkpoints, log: silentLogger });
    await memory.restore();
    const found: Record<number, unknown> = {};
    for (let generation = 1; generation <= 1000; generation += 1) {
      await connection.flush();
      requests.clear();
      const { digest } = await memory.save(generation, content(generation));
      const at = { attempt: 1, generation, sequence: generation, step: generation, epoch: 0, phase: "training" };
      await checkpoints.commit({ ...at, actors: { "block-0": digest } }, 1);
      if (generation !== 10 && generation !== 1000) continue;
      await connection.flush();
      const counted = Object.fromEntries([...requests].sort());
      const streams: Record<string, number> = {};
      for await (const { config, state } of manager.streams.list()) streams[config.name] = state.messages;
      found[generation] = { counted, streams };
    }
    subscription.unsubscribe();
    await connection.close();
    expect(found[1000]).toEqual(found[10]);
  }, 120_000);
});
