/** Models in JetStream: changes are seen at once, over a restart of the server; the public CLI shows them. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { type LiveRecord, type Model, modelsInStore, openModel } from "../../src/models/index.ts";
import { planArtifactCollection, applyArtifactCollection } from "../../src/runtime/artifacts/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import {
  describeWithNats,
  describeWithNatsCli,
  natsCliPath,
  startTestNats,
  type TestNats,
} from "../support/nats-server.ts";
import { waitFor } from "../support/wait-for.ts";
import { BY, FACTS, loadAll, weights } from "../unit/models/model-scene.ts";

const clock = systemClock();

/** One process with a model of its own connection. */
async function processOn({ url }: TestNats): Promise<Model & AsyncDisposable> {
  const store = await connectJetStreamStore({
    ...{ servers: url, name: "test", reconnectWaitMs: 20, reconnectJitterMs: 0 },
  });
  const models = modelsInStore(store);
  return {
    ...openModel(models, "digits", { clock }),
    async [Symbol.asyncDispose]() {
      await models[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

/** Repeats what an outage may refuse. */
async function persistently<T>(work: () => Promise<T>): Promise<T> {
  return waitFor(async () => work().catch(() => undefined), "the store to answer", 30_000);
}

describeWithNats("models in JetStream", () => {
  it("changes go on after the server was away and came back", { timeout: 120_000 }, async () => {
    await using server = await startTestNats({ jetstream: true });
    await using writer = await processOn(server);
    await using reader = await processOn(server);
    for (const value of [1, 2, 3]) await writer.publish(FACTS, weights(value));
    const stop = new AbortController();
    const seen: LiveRecord[] = [];
    const reading = (async () => {
      for await (const record of reader.changes(stop.signal)) seen.push(record);
    })();
    const isSeen = (release: number): Promise<unknown> =>
      waitFor(() => seen.at(-1)?.live === release || undefined, `release ${release}`, 30_000);
    await writer.promote(1, BY);
    await isSeen(1);
    for (const release of [2, 3]) {
      await server.restart();
      await persistently(() => writer.promote(release, BY));
      await isSeen(release);
      expect(await persistently(() => loadAll(reader, release))).toEqual(weights(release));
    }
    stop.abort();
    await reading;
    expect(seen.map(({ change }) => change)).toEqual([...new Set(seen.map(({ change }) => change))].sort());
  });

  it("publishers, promotions, retention and collection of several processes at once", {
    timeout: 120_000,
  }, async () => {
    await using server = await startTestNats({ jetstream: true });
    const processes = await Promise.all([1, 2, 3].map(() => processOn(server)));
    await using store = await connectJetStreamStore({ servers: server.url, name: "gc" });
    await Promise.all([
      ...processes.map(async (model, index) => {
        for (let round = 0; round < 5; round += 1) {
          // Of one value of two: releases share their parts.
          const { release } = await model.publish(FACTS, weights((index + round) % 2));
          // Another process may have made it one of many by now, and deleted it.
          await model.promote(release, BY).catch((error: unknown) => {
            expect(error).toMatchObject({ code: "KN_CONFIG" });
          });
          await model.retain(2);
        }
      }),
      (async () => {
        for (let round = 0; round < 5; round += 1)
          await applyArtifactCollection(store, await planArtifactCollection(store, 0));
      })(),
    ]);
    const [model] = processes;
    if (model === undefined) throw new Error("there are three");
    const { live, previous, change } = await model.live();
    for (const release of [live, previous]) await loadAll(model, release ?? 0);
    for (const { release } of await model.releases()) await loadAll(model, release);
    expect((await model.history()).map((each) => each.change)).toEqual(
      Array.from({ length: change }, (_, index) => index + 1),
    );
    for (const each of processes) await each[Symbol.asyncDispose]();
  });
});

describeWithNatsCli("models, by the nats command", () => {
  it("kv get shows what is live, and each release", async () => {
    await using server = await startTestNats({ jetstream: true });
    await using model = await processOn(server);
    await model.publish(FACTS, weights(1));
    await model.promote(1, { by: "test", reason: "first" });
    const nats = async (...parameters: string[]): Promise<unknown> => {
      const argv = ["--server", server.url, "--no-context", "kv", "get", "kn-manifests", ...parameters, "--raw"];
      return JSON.parse((await promisify(execFile)(natsCliPath ?? "", argv)).stdout);
    };
    expect(await nats("model.digits.live")).toMatchObject({ live: 1, last: { kind: "promoted", reason: "first" } });
    expect(await nats("model.digits.release.1")).toMatchObject({ release: 1, isPinned: false });
  });
});
