import { expect, it } from "vitest";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { connectNats, ErrorCode, NatsError } from "../../src/runtime/nats/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { CUT_OFF_AFTER_MS, jetStreamBlobs } from "../../src/runtime/store/jetstream/jetstream-blobs.ts";
import { describeWithNats, startConfiguredNats, startNatsCluster, startTestNats } from "../support/nats-server.ts";
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

describeWithNats("JetStreamStore", () => {
  /** A store, and the number of its requests to JetStream. */
  const counted = async (url: string) => {
    const store = await connectJetStreamStore({ servers: url, ...FAST, deleteMarkerTtlMs: 1_000 });
    const { connection } = await connectNats({ servers: url, name: "observer" });
    let requests = 0;
    connection.subscribe("$JS.API.>", { callback: () => void (requests += 1) });
    await connection.flush();
    const manager = await connection.jetstreamManager();
    const subjects = async (stream: string): Promise<number> => {
      const { state } = await manager.streams.info(stream, { subjects_filter: ">" });
      return state.num_subjects ?? 0;
    };
    return {
      store,
      subjects,
      /** Requests that `work` makes. */
      async during(work: () => Promise<unknown>): Promise<number> {
        await connection.flush();
        const before = requests;
        await work();
        await connection.flush();
        return requests - before;
      },
      async [Symbol.asyncDispose]() {
        await connection.close();
        await store.close();
      },
    };
  };
  const inTurn = async (count: number, work: (i: number) => Promise<unknown>): Promise<void> => {
    for (let at = 0; at < count; at += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => work(at + i)));
  };

  it("Blobs.delete leaves nothing: 1,000 deleted names change neither the subjects nor the requests of a list", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    const blobs = await here.store.blobs("states");
    for (const name of ["kept.a", "kept.b"]) await blobs.put(name, bytes(name));
    const before = [await here.subjects("OBJ_states"), await here.during(() => blobs.list())];
    await inTurn(1_000, async (i) => {
      await blobs.put(`run.${i}`, bytes("x"));
      await blobs.delete(`run.${i}`);
    });
    expect([await here.subjects("OBJ_states"), await here.during(() => blobs.list())]).toEqual(before);
    expect(before).toEqual([4, 3]);
  }, 60_000);

  it("Blobs.put of one name at once by two stores leaves the chunks of one blob", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    await using other = await connectJetStreamStore({ servers: server.url, ...FAST });
    const [mine, theirs] = [await here.store.blobs("states"), await other.blobs("states")];
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? mine : theirs).put("a", bytes(`version ${i}`))),
    );
    expect(await here.subjects("OBJ_states")).toBe(2);
  });

  it("Blobs.put whose acknowledgement is lost succeeds, and keeps the chunks", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    await (await here.store.blobs("states")).put("a", bytes("old"));
    const { connection } = await connectNats({ servers: server.url, ...FAST });
    const jetstream = connection.jetstream();
    const lossy = Object.assign(Object.create(jetstream) as typeof jetstream, {
      publish: async (...message: Parameters<typeof jetstream.publish>) => {
        const ack = await jetstream.publish(...message);
        if (message[0].includes(".M.")) throw NatsError.errorForCode(ErrorCode.Timeout);
        return ack;
      },
    });
    const blobs = jetStreamBlobs(
      { bucket: "states", domain: undefined },
      {
        connection,
        jetstream: lossy,
        manager: await connection.jetstreamManager(),
        clock: systemClock(),
        description: "test",
        assertOpen: () => undefined,
      },
    );
    const { revision } = await blobs.put("a", bytes("new"));
    expect(await blobs.info("a")).toMatchObject({ revision });
    expect(await blobs.get("a")).toEqual(bytes("new"));
    expect(await here.subjects("OBJ_states")).toBe(2);
    await connection.close();
  });

  it("Blobs.sweep removes the chunks of a put that was cut off an hour ago, and no chunks of a blob or a newer put", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    const kept = await here.store.blobs("states");
    await kept.put("run.a", bytes("a"));
    const { connection } = await connectNats({ servers: server.url, ...FAST });
    const blobsAt = async (offsetMs: number) =>
      jetStreamBlobs(
        { bucket: "states", domain: undefined },
        {
          connection,
          jetstream: connection.jetstream(),
          manager: await connection.jetstreamManager(),
          clock: { ...systemClock(), wallTimeMs: () => Date.now() + offsetMs },
          description: "test",
          assertOpen: () => undefined,
        },
      );
    // Chunks as a process leaves them that is killed before it writes the record.
    for (const chunk of ["1", "2"]) await connection.jetstream().publish("$O.states.C.orphan", bytes(chunk));
    expect(await kept.sweep()).toEqual([]);
    const later = await blobsAt(CUT_OFF_AFTER_MS + 60_000);
    expect(await later.sweep({ isDryRun: true })).toEqual(["orphan"]);
    expect(await here.subjects("OBJ_states")).toBe(3);
    expect(await later.sweep()).toEqual(["orphan"]);
    expect(await later.sweep()).toEqual([]);
    expect(await here.subjects("OBJ_states")).toBe(2);
    expect(await kept.get("run.a")).toEqual(bytes("a"));
    await connection.close();
  });

  it("Blobs.list of a prefix costs as many requests as names match, not as the bucket has", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    const blobs = await here.store.blobs("states");
    await inTurn(100, (i) => blobs.put(`run-${i % 50}.${i}`, bytes("x")));
    let found: unknown[] = [];
    expect(await here.during(async () => (found = await blobs.list("run-7.")))).toBe(1 + 2);
    expect(found).toHaveLength(2);
  });

  it("KeyValue.delete leaves no marker for ever: 1,000 deleted keys are gone from the stream", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    const kv = await here.store.kv("records");
    await kv.put("kept", bytes("x"));
    await inTurn(1_000, async (i) => {
      await kv.put(`run.${i}`, bytes("x"));
      await kv.delete(`run.${i}`);
    });
    await waitFor(async () => (await here.subjects("KV_records")) === 1, "the markers' expiry");
    expect(await kv.keys()).toEqual(["kept"]);
    expect(await here.during(() => kv.keys())).toBe(2);
    expect(await kv.create("run.7", bytes("again"))).toBeGreaterThan(2_000);
  }, 60_000);

  it("KeyValue.delete leaves no marker for ever in a bucket that an older version made", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    const { connection } = await connectNats({ servers: server.url, name: "older" });
    await connection.jetstream().views.kv("records", { history: 1 });
    await connection.close();
    const kv = await here.store.kv("records");
    await kv.put("a", bytes("x"));
    await kv.delete("a");
    await waitFor(async () => (await here.subjects("KV_records")) === 0, "the marker's expiry");
  });

  it("logs of many runs are one stream", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    for (let i = 0; i < 20; i += 1) await (await here.store.log(`run-${i}`)).append(bytes("x"));
    expect(await here.subjects("KN_HISTORY")).toBe(20);
    await inTurn(20, (i) => here.store.removeLog(`run-${i}`));
    expect(await here.subjects("KN_HISTORY")).toBe(0);
  });

  it("refuses a blob whose record names an impossible size with KN_CHECKPOINT, without allocating it", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using here = await counted(server.url);
    const blobs = await here.store.blobs("states");
    await blobs.put("a", bytes("x"));
    const { connection } = await connectNats({ servers: server.url, name: "vandal" });
    const meta = { name: "a", bucket: "states", nuid: "none", size: Number.MAX_SAFE_INTEGER, chunks: 1, digest: "" };
    await connection.jetstream().publish("$O.states.M.a", JSON.stringify(meta));
    await connection.close();
    await expect(blobs.get("a")).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
  });

  it("writes blobs in chunks that a server with a max_payload of 64 KiB takes", async () => {
    await using server = await startTestNats({ jetstream: true, maxPayloadBytes: 64 * 1024 });
    await using store = await connectJetStreamStore({ servers: server.url, ...FAST });
    const blobs = await store.blobs("states");
    const content = new Uint8Array(1_000_000).map((_, i) => i % 251);
    await blobs.put("a", content);
    expect(Buffer.compare((await blobs.get("a")) ?? bytes(""), content)).toBe(0);
    await expect((await store.kv("records")).put("a", new Uint8Array(100_000))).rejects.toMatchObject({
      code: "KN_OVERLOADED",
      remedy: expect.stringContaining("max_payload") as string,
    });
  });

  it("rejects with KN_CONFIG, the limit and the remedy when the account may have no further stream", async () => {
    const account = "accounts { A { jetstream { max_streams: 1 }, users: [{ user: ann, password: pw }] } }";
    await using server = await startConfiguredNats([account]);
    await using store = await connectJetStreamStore({ servers: `nats://ann:pw@127.0.0.1:${server.port}`, ...FAST });
    await store.kv("first");
    const refused = {
      code: "KN_CONFIG",
      value: expect.stringContaining("maximum number of streams reached") as string,
      remedy: expect.stringContaining("max_streams") as string,
    };
    await expect(store.kv("second")).rejects.toMatchObject(refused);
    await expect(store.blobs("second")).rejects.toMatchObject(refused);
    await expect(store.log("second")).rejects.toMatchObject(refused);
    await store.removeBucket("kv", "first");
    await store.blobs("second");
  });
});

describeWithNats("JetStreamStore on three servers", () => {
  it("rejects with KN_UNAVAILABLE that asks for a majority when one of the three is alone", async () => {
    await using cluster = await startNatsCluster();
    await cluster.servers["n1"]?.kill();
    await cluster.servers["n2"]?.kill();
    const connecting = connectJetStreamStore({ servers: cluster.urls, ...FAST, connectTimeoutMs: 1_000 });
    await expect(connecting).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      remedy: expect.stringContaining("more than half") as string,
    });
  }, 60_000);

  it("lists and reads through the election after the stream's leader was killed", async () => {
    await using cluster = await startNatsCluster();
    // At once: the cluster has no leader yet, and the store waits for one.
    await using store = await connectJetStreamStore({
      servers: cluster.urls,
      ...FAST,
      replicas: 3,
      connectTimeoutMs: 60_000,
    });
    const [kv, blobs, log] = [await store.kv("records"), await store.blobs("states"), await store.log("run")];
    const revision = await kv.put("a", bytes("1"));
    await blobs.put("a", bytes("1"));
    await log.append(bytes("1"));
    const { connection } = await connectNats({ servers: cluster.urls, ...FAST });
    const manager = await connection.jetstreamManager();
    for (const stream of ["KV_records", "OBJ_states", "KN_HISTORY"]) {
      const { cluster: group } = await manager.streams.info(stream);
      const leader = group?.leader ?? "";
      await cluster.servers[leader]?.kill();
      if (stream === "KV_records") {
        expect(await kv.keys()).toEqual(["a"]);
        expect(await kv.entries()).toMatchObject([{ key: "a", revision }]);
      } else if (stream === "OBJ_states") {
        expect(await blobs.list()).toMatchObject([{ name: "a" }]);
        expect(await blobs.get("a")).toEqual(bytes("1"));
      } else {
        for await (const { data } of log.read()) expect(data).toEqual(bytes("1"));
      }
      await cluster.servers[leader]?.start();
      await waitFor(
        async () => {
          const info = await manager.streams.info(stream).catch(() => undefined);
          return info?.cluster?.replicas?.every(({ current }) => current) === true;
        },
        "the server's return",
        60_000,
      );
    }
    await connection.close();
  }, 180_000);
});
