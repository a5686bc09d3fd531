import { describe, expect, it } from "vitest";
import {
  liveAt,
  listModels,
  type Model,
  modelsInStore,
  newKeyPair,
  NOTHING_LIVE,
  openModel,
  readSigner,
  readTrustedKey,
} from "../../../src/models/index.ts";
import { ARTIFACT_BLOBS, ARTIFACT_RECORDS, openReleases, scopeOfModel } from "../../../src/runtime/artifacts/index.ts";
import { failAlways, failTimes } from "../../support/failing-store.ts";
import { BY, FACTS, loadAll, modelScene, NETWORK, weights } from "./model-scene.ts";

const SCOPE = scopeOfModel("digits");
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("Model.publish", () => {
  it("numbers releases from 1; each has its manifest, a digest for each block, and its own weights", async () => {
    const { model, publish } = await modelScene();
    expect(await publish(1)).toMatchObject({ release: 1, isPinned: false, signature: { kind: "unsigned" } });
    const second = await publish(2, { isPinned: true });
    expect(second).toMatchObject({ model: "digits", release: 2, isPinned: true });
    expect(second.manifest).toEqual({ ...FACTS, format: 1, model: "digits" });
    expect(second.digests).toHaveLength(2);
    expect((await model.releases()).map(({ release }) => release)).toEqual([2, 1]);
    expect(await loadAll(model, 1)).toEqual(weights(1));
    expect(await loadAll(model, 2)).toEqual(weights(2));
  });

  it("stores an unchanged block once", async () => {
    const { model, store } = await modelScene();
    const first = await model.publish(FACTS, weights(1));
    const second = await model.publish(FACTS, [weights(1)[0] ?? {}, weights(2)[1] ?? {}]);
    expect(second.digests[0]).toBe(first.digests[0]);
    expect(second.digests[1]).not.toBe(first.digests[1]);
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list(SCOPE)).toHaveLength(3);
  });

  it("two that publish at once get two numbers, each with its own weights", async () => {
    const { model, open } = await modelScene();
    const found = await Promise.all([1, 2, 3, 4].map((value) => open().publish(FACTS, weights(value))));
    expect(found.map(({ release }) => release).sort()).toEqual([1, 2, 3, 4]);
    for (const [index, { release }] of found.entries())
      expect(await loadAll(model, release)).toEqual(weights(index + 1));
  });

  it.each([
    ["NaN", NaN, /every weight must be finite.*weights\/d1\/kernel\[0\] is NaN/],
    ["an infinite weight", -Infinity, /is -Infinity/],
  ])("refuses %s with KN_CHECKPOINT and writes nothing", async (_, value, message) => {
    const { model, store, publish } = await modelScene();
    await expect(publish(value)).rejects.toThrow(message);
    await expect(publish(value)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    expect(await model.releases()).toEqual([]);
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toEqual([]);
  });

  it("refuses weights that are not those of the network: missing, of another shape, of another layer", async () => {
    const { model } = await modelScene();
    const [first = {}, second = {}] = weights(1);
    const kernel = first["weights/d1/kernel"];
    if (kernel === undefined) throw new Error("the scene has a kernel");
    const cases = [
      [{ "weights/d1/kernel": kernel }, /weights\/d1\/bias must be f32 \[2\]: current value is absent/],
      [{ ...first, "weights/d1/kernel": { ...kernel, shape: [2, 4] } }, /must be f32 \[4, 2\].*f32 \[2, 4\]/],
      [{ ...first, "weights/other/kernel": kernel }, /no others.*weights\/other\/kernel/],
    ] as const;
    for (const [part, message] of cases) await expect(model.publish(FACTS, [part, second])).rejects.toThrow(message);
    await expect(model.publish(FACTS, [first])).rejects.toThrow(RangeError);
    const network = { ...NETWORK, layers: [...NETWORK.layers, { type: "flatten", name: "bad name" } as const] };
    await expect(model.publish({ ...FACTS, network }, weights(1))).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it("after an outage at any call it can be repeated, and no part is torn", async () => {
    for (const fault of ["refused", "unanswered"] as const) {
      for (let call = 0; call < 12; call += 1) {
        const { model, faults, publish } = await modelScene();
        let calls = 0;
        faults.now = () => (calls++ === call ? { kind: fault } : undefined);
        const first = await publish(1).catch((error: unknown) => error);
        if (first instanceof Error) expect(first).toMatchObject({ code: "KN_UNAVAILABLE" });
        faults.now = undefined;
        const again = await publish(1);
        for (const { release } of await model.releases()) expect(await loadAll(model, release)).toEqual(weights(1));
        expect(await loadAll(model, again.release)).toEqual(weights(1));
      }
    }
  });

  it("refuses a name that is no token with KN_CONFIG", async () => {
    const { open } = await modelScene();
    for (const name of ["", "a.b", "a/b", "a b", "x".repeat(65)])
      expect(() => open(name)).toThrow(/KN_CONFIG: Cannot name a model/);
  });
});

describe("Model.release, Model.loadPart", () => {
  it("an unknown model or release is KN_CONFIG with what there is", async () => {
    const { open, publish } = await modelScene();
    await expect(open("other").release(1)).rejects.toThrow(/KN_CONFIG.*use release 1 of other.*no models.*kn publish/);
    await publish(1);
    await publish(2);
    await expect(open().release(3)).rejects.toThrow(/KN_CONFIG.*it has 2, 1.*kn releases digits/);
    await expect(open("other").release(1)).rejects.toThrow(/digits/);
  });

  it("a torn release is KN_CHECKPOINT: part absent, of other content, record of another version or model", async () => {
    const { model, open, store, publish } = await modelScene();
    const { digests } = await publish(1);
    const release = await model.release(1);
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    const name = `${SCOPE}.part.${digests[0]}`;
    await blobs.put(name, bytes("other"));
    await expect(model.loadPart(release, 0)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await blobs.delete(name);
    await expect(model.loadPart(release, 0)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    expect(await model.loadPart(release, 1)).toEqual(weights(1)[1]);
    const records = await store.kv(ARTIFACT_RECORDS);
    const record = (await records.get(`${SCOPE}.release.1`))?.value ?? new Uint8Array();
    await records.put(`${scopeOfModel("other")}.release.1`, record);
    await expect(open("other").release(1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await records.put(`${SCOPE}.release.1`, bytes("{}"));
    await expect(model.release(1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    expect(await model.releases()).toEqual([]);
  });

  it("weights that were written past its checks are KN_CHECKPOINT: NaN, and another topology", async () => {
    const { model, store, publish } = await modelScene();
    const { manifest } = await publish(1);
    const releases = await openReleases(store, SCOPE);
    const metadata = { manifest: JSON.stringify(manifest) };
    await releases.publish(weights(NaN), { metadata });
    await releases.publish([...weights(1)].reverse(), { metadata });
    await releases.publish([weights(1)[0] ?? {}], { metadata });
    await expect(loadAll(model, 2)).rejects.toThrow(/KN_CHECKPOINT.*finite/);
    await expect(loadAll(model, 3)).rejects.toThrow(/KN_CHECKPOINT.*must be f32/);
    await expect(loadAll(model, 4)).rejects.toThrow(/KN_CHECKPOINT.*digest of each block/);
    await model.promote(1, BY);
    for (const release of [2, 3, 4]) {
      await expect(model.promote(release, BY)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      const canary = { release, mode: "canary", percent: 5 } as const;
      await expect(model.startCandidate(canary, BY)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      await expect(model.rollback(BY, { to: release })).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    }
    expect(await model.live()).toMatchObject({ live: 1, change: 1 });
  });
});

describe("signatures of releases", () => {
  const pair = newKeyPair();
  const other = newKeyPair();
  const signer = readSigner(pair.privatePem, "a key");
  const trusted = [readTrustedKey(pair.publicPem, "a key")];

  it("a signed release is `signed` to who trusts no keys, `trusted` to who trusts its key, refused to who trusts another", async () => {
    const { model, open } = await modelScene({ signer });
    await model.publish(FACTS, weights(1));
    expect((await model.release(1)).signature).toEqual({ kind: "signed", keyId: pair.keyId });
    expect((await open("digits", { trusted }).release(1)).signature).toEqual({ kind: "trusted", keyId: pair.keyId });
    const strict = open("digits", { trusted: [readTrustedKey(other.publicPem, "another key")] });
    expect((await strict.releases())[0]?.signature).toMatchObject({ kind: "refused", value: pair.keyId });
    await expect(strict.release(1)).rejects.toThrow(/KN_CHECKPOINT.*signed by a key that is trusted/);
    await expect(strict.promote(1, BY)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    expect(await strict.live()).toEqual(NOTHING_LIVE);
  });

  it("an unsigned release is refused where keys are trusted, and the live one stays", async () => {
    const { model, open } = await modelScene({ signer });
    await model.publish(FACTS, weights(1));
    await open("digits", {}).publish(FACTS, weights(2));
    const strict = open("digits", { trusted });
    await strict.promote(1, BY);
    await expect(strict.promote(2, BY)).rejects.toThrow(/KN_CHECKPOINT.*current value is unsigned/);
    expect((await strict.live()).live).toBe(1);
  });

  it.each([
    [
      "manifest",
      (facts: Changeable) => ({
        ...facts,
        metadata: { ...facts.metadata, manifest: facts.metadata.manifest?.replace('"a"', '"b"') },
      }),
    ],
    ["digests", (facts: Changeable) => ({ ...facts, digests: [...facts.digests].reverse() })],
    ["number", (facts: Changeable) => ({ ...facts, release: 2 })],
    ["signature", (facts: Changeable) => ({ ...facts, metadata: { ...facts.metadata, signature: "AAAA" } })],
    ["key", (facts: Changeable) => ({ ...facts, metadata: { ...facts.metadata, key: "AAAA" } })],
  ])("another %s than the one that was signed is refused, also where no keys are trusted", async (_, change) => {
    const { model, store } = await modelScene({ signer });
    await model.publish(FACTS, weights(1));
    const records = await store.kv(ARTIFACT_RECORDS);
    const value = (await records.get(`${SCOPE}.release.1`))?.value ?? new Uint8Array();
    const changed = change(JSON.parse(new TextDecoder().decode(value)) as Changeable);
    await records.put(`${SCOPE}.release.${changed.release}`, bytes(JSON.stringify(changed)));
    await expect(model.release(changed.release)).rejects.toThrow(/KN_CHECKPOINT.*its signature must be/);
  });

  it("reads keys that openssl reads, and refuses other files", () => {
    expect(pair.privatePem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(() => readSigner(pair.publicPem, "key.pub")).toThrow(/KN_CONFIG.*key.pub.*private Ed25519/);
    expect(() => readTrustedKey(pair.privatePem, "key")).toThrow(/KN_CONFIG.*must be a public one/);
    expect(() => readTrustedKey("", "empty")).toThrow(/KN_CONFIG.*public Ed25519/);
  });
});

interface Changeable {
  readonly release: number;
  readonly digests: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

describe("Model.promote, Model.rollback", () => {
  it("promotion keeps the one before as previous; a rollback returns to it, and back again", async () => {
    const { model, publish, clock } = await modelScene();
    for (const value of [1, 2, 3]) await publish(value);
    const first = await model.promote(1, BY);
    expect(first).toMatchObject({ live: 1, change: 1, sinceMs: clock.wallTimeMs() });
    expect(first.previous).toBeUndefined();
    expect(await model.promote(3, { by: "kn promote", reason: "better" })).toMatchObject({ live: 3, previous: 1 });
    expect(await model.rollback(BY)).toMatchObject({ live: 1, previous: 3, change: 3 });
    expect(await model.rollback(BY)).toMatchObject({ live: 3, previous: 1 });
    expect(await model.rollback(BY, { to: 2 })).toMatchObject({ live: 2, previous: 3 });
  });

  it("what is live already stays as it is, without an entry", async () => {
    const { model, publish } = await modelScene();
    await publish(1);
    const record = await model.promote(1, BY);
    expect(await model.promote(1, BY)).toEqual(record);
    expect(await model.rollback(BY, { to: 1 })).toEqual(record);
    expect(await model.history()).toHaveLength(1);
  });

  it("a rollback from a release that is not live any more changes nothing", async () => {
    const { model, publish } = await modelScene();
    for (const value of [1, 2, 3]) await publish(value);
    for (const release of [1, 2, 3]) await model.promote(release, BY);
    expect(await model.rollback(BY, { from: 2, to: 1 })).toMatchObject({ live: 3, change: 3 });
    expect(await model.rollback(BY, { from: 3 })).toMatchObject({ live: 2, change: 4 });
  });

  it("refuses a rollback with KN_CONFIG when nothing was live before, and an unknown release", async () => {
    const { model, publish } = await modelScene();
    await expect(model.rollback(BY)).rejects.toThrow(/KN_CONFIG.*nothing is live.*kn promote digits/);
    await publish(1);
    await expect(model.rollback(BY, { to: 1 })).rejects.toThrow(/KN_CONFIG.*nothing is live/);
    await model.promote(1, BY);
    await expect(model.rollback(BY)).rejects.toThrow(/KN_CONFIG.*release 1 is the first/);
    for (const refused of [model.promote(2, BY), model.rollback(BY, { to: 2 })])
      await expect(refused).rejects.toMatchObject({ code: "KN_CONFIG" });
    expect(await model.live()).toMatchObject({ live: 1, change: 1 });
  });

  it("of many at once each is one change, and the last in the history is live", async () => {
    const { model, open, publish } = await modelScene();
    for (const value of [1, 2, 3, 4, 5]) await publish(value);
    await Promise.all([1, 2, 3, 4, 5].map((release) => open().promote(release, BY)));
    const history = await model.history();
    expect(history.map(({ change }) => change)).toEqual([1, 2, 3, 4, 5]);
    expect(history.at(-1)?.to).toBe((await model.live()).live);
    for (const [index, { from }] of history.entries()) expect(from).toBe(history[index - 1]?.to);
  });

  it("refuses to work on a record of another version, and leaves it", async () => {
    const { model, store, publish } = await modelScene();
    await publish(1);
    const records = await store.kv(ARTIFACT_RECORDS);
    await records.put(`${SCOPE}.live`, bytes('{"format":9}'));
    for (const work of [model.live(), model.promote(1, BY), model.rollback(BY, { to: 1 }), model.retain(1)])
      await expect(work).rejects.toThrow(/KN_CHECKPOINT.*of this version.*"format":9/);
    expect((await records.get(`${SCOPE}.live`))?.value).toEqual(bytes('{"format":9}'));
  });
});

describe("Model.startCandidate, Model.endCandidate", () => {
  const canary = { release: 2, mode: "canary", percent: 5 } as const;

  it("a candidate stands beside the live one until it ends or a release is promoted", async () => {
    const { model, publish } = await modelScene();
    for (const value of [1, 2, 3]) await publish(value);
    await model.promote(1, BY);
    expect(await model.startCandidate(canary, BY)).toMatchObject({ live: 1, candidate: canary, change: 2 });
    expect((await model.startCandidate(canary, BY)).change).toBe(2);
    const shadow = { release: 3, mode: "shadow", percent: 100 } as const;
    expect(await model.startCandidate(shadow, BY)).toMatchObject({ candidate: shadow });
    expect((await model.endCandidate(BY, 2)).candidate).toEqual(shadow);
    expect((await model.endCandidate(BY, 3)).candidate).toBeUndefined();
    expect((await model.endCandidate(BY)).change).toBe(4);
    await model.startCandidate(canary, BY);
    const promoted = await model.promote(2, BY);
    expect(promoted).toMatchObject({ live: 2, previous: 1, last: { kind: "promoted", candidate: canary } });
    expect(promoted.candidate).toBeUndefined();
    expect(promoted.sinceMs).toBe(promoted.last?.atMs);
  });

  it("is refused with KN_CONFIG: nothing live, the live one, a share out of range, an unknown release", async () => {
    const { model, publish } = await modelScene();
    for (const value of [1, 2]) await publish(value);
    await expect(model.startCandidate(canary, BY)).rejects.toThrow(/KN_CONFIG.*must be live beside it/);
    await model.promote(2, BY);
    await expect(model.startCandidate(canary, BY)).rejects.toThrow(/KN_CONFIG.*must not be the live one/);
    for (const percent of [0, -1, 101, NaN])
      await expect(model.startCandidate({ ...canary, release: 1, percent }, BY)).rejects.toThrow(/KN_CONFIG.*share/);
    await expect(model.startCandidate({ ...canary, release: 9 }, BY)).rejects.toMatchObject({ code: "KN_CONFIG" });
    expect(await model.live()).toMatchObject({ live: 2, change: 1 });
  });
});

describe("Model.history, liveAt", () => {
  it("has every change with its reason, author and numbers, and says what was live when", async () => {
    const { model, publish, clock } = await modelScene();
    for (const value of [1, 2]) await publish(value);
    const times: number[] = [];
    const at = async (work: Promise<unknown>): Promise<void> => {
      await work;
      times.push(clock.wallTimeMs());
      await clock.advance(1_000);
    };
    const before = clock.wallTimeMs() - 1;
    await at(model.promote(1, { by: "kn promote" }));
    await at(model.startCandidate({ release: 2, mode: "canary", percent: 5 }, BY));
    await at(model.promote(2, BY));
    await at(model.rollback({ by: "gateway", reason: "errors", numbers: { errors: 7, requests: 100 } }));
    const history = await model.history();
    expect(history.map(({ kind }) => kind)).toEqual(["promoted", "candidate-started", "promoted", "rolled-back"]);
    expect(history.at(-1)).toMatchObject({ from: 2, to: 1, by: "gateway", reason: "errors", numbers: { errors: 7 } });
    expect(liveAt(history, before)).toBeUndefined();
    expect(times.map((time) => liveAt(history, time)?.to)).toEqual([1, 1, 2, 1]);
    expect(liveAt(history, (times[2] ?? 0) + 999)?.to).toBe(2);
    expect(liveAt(history, Infinity)?.to).toBe(1);
  });

  it("is whole although appending failed: the record has the last change, the next one appends it", async () => {
    const { model, open, faults, publish } = await modelScene();
    for (const value of [1, 2, 3]) await publish(value);
    faults.now = failTimes(1, { kind: "log", operation: "append" });
    await model.promote(1, BY);
    expect((await model.history()).map(({ to }) => to)).toEqual([1]);
    faults.now = failTimes(1, { kind: "log", operation: "append" });
    await expect(open().promote(2, BY)).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect((await model.live()).live).toBe(1);
    await open().promote(2, BY);
    faults.now = failTimes(1, { kind: "log", operation: "append" }, { kind: "unanswered" });
    await open()
      .promote(3, BY)
      .catch(() => undefined);
    await open().promote(3, BY);
    expect((await open().history()).map(({ to }) => to)).toEqual([1, 2, 3]);
  });

  it("times never go back, whatever clock wrote them; text and numbers of a change are bounded", async () => {
    const { model, clock, publish, models } = await modelScene();
    for (const value of [1, 2]) await publish(value);
    await model.promote(1, BY);
    const slow = openModel(models, "digits", {
      clock: { wallTimeMs: () => clock.wallTimeMs() - 60_000, sleep: clock.sleep },
    });
    const numbers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`n${index}`, index]));
    await slow.promote(2, { by: "x".repeat(1_000), reason: "y".repeat(1_000), numbers });
    const [first, second] = await model.history();
    expect(second?.atMs).toBe(first?.atMs);
    expect([second?.by.length, second?.reason.length, Object.keys(second?.numbers ?? {}).length]).toEqual([
      500, 500, 32,
    ]);
  });
});

describe("Model.changes", () => {
  it("gives the record at once and after each change, of any handle, and ends with its signal", async () => {
    const { model, open, publish } = await modelScene();
    for (const value of [1, 2]) await publish(value);
    const stop = new AbortController();
    const seen: (number | undefined)[] = [];
    const reading = (async () => {
      for await (const { live } of model.changes(stop.signal)) {
        seen.push(live);
        if (live === 2) stop.abort();
        else await open().promote((live ?? 0) + 1, BY);
      }
    })();
    await reading;
    expect(seen).toEqual([undefined, 1, 2]);
  });

  it("waits while the store is away, and goes on where it was", async () => {
    const { model, plain, faults, clock, publish } = await modelScene();
    await publish(1);
    const stop = new AbortController();
    const changes = model.changes(stop.signal)[Symbol.asyncIterator]();
    expect((await changes.next()).value).toMatchObject({ change: 0 });
    const next = changes.next();
    faults.now = failAlways();
    await openModel(modelsInStore(plain), "digits", { clock }).promote(1, BY);
    let isSeen = false;
    void next.then(() => (isSeen = true));
    await clock.advance(30_000);
    expect(isSeen).toBe(false);
    faults.now = undefined;
    await clock.advance(250);
    expect((await next).value).toMatchObject({ live: 1 });
    faults.now = failAlways();
    const ended = changes.next();
    await clock.advance(10_000);
    stop.abort();
    await clock.advance(1_000);
    expect((await ended).done).toBe(true);
  });

  it("ends when the store of the models is disposed, also while it is away", async () => {
    const { model, models, faults, clock } = await modelScene();
    const changes = model.changes()[Symbol.asyncIterator]();
    await changes.next();
    const ended = changes.next();
    faults.now = failAlways();
    await clock.advance(10_000);
    await models[Symbol.asyncDispose]();
    await clock.advance(10_000);
    expect((await ended).done).toBe(true);
  });
});

describe("Model.promote, Model.rollback, Model.retain, of a store that fails", () => {
  it.each(["refused", "unanswered"] as const)(
    "one call that is %s leaves what is live loadable, and the same again succeeds",
    async (fault) => {
      const works = {
        promote: { run: (model: Model) => model.promote(1, BY), live: 1 },
        rollback: { run: (model: Model) => model.rollback(BY, { to: 2 }), live: 2 },
        retain: { run: (model: Model) => model.retain(1), live: 3 },
      };
      for (const { run, live } of Object.values(works)) {
        for (let call = 0; call < 20; call += 1) {
          const { model, open, faults, publish } = await modelScene();
          for (const value of [1, 2, 3]) await publish(value);
          for (const release of [2, 3]) await model.promote(release, BY);
          let calls = 0;
          faults.now = () => (calls++ === call ? { kind: fault } : undefined);
          const first = await run(open()).catch((error: unknown) => error);
          if (first instanceof Error) expect(first).toMatchObject({ code: "KN_UNAVAILABLE" });
          faults.now = undefined;
          await loadAll(model, (await model.live()).live ?? 0);
          await run(open());
          expect((await model.live()).live).toBe(live);
          await loadAll(model, live);
          const history = await model.history();
          expect(history.map(({ change }) => change)).toEqual(history.map((_, index) => index + 1));
        }
      }
    },
  );
});

describe("Model.retain", () => {
  it("keeps the newest, the pinned, and what the live record names; their parts load, the others are gone", async () => {
    const { model, store, publish } = await modelScene();
    for (let value = 1; value <= 9; value += 1) await publish(value, { isPinned: value === 2 });
    await model.promote(1, BY);
    await model.promote(3, BY);
    await model.startCandidate({ release: 5, mode: "shadow", percent: 10 }, BY);
    expect(await model.retain(2)).toEqual([7, 6, 4]);
    expect((await model.releases()).map(({ release }) => release)).toEqual([9, 8, 5, 3, 2, 1]);
    for (const release of [9, 8, 5, 3, 2, 1]) expect(await loadAll(model, release)).toEqual(weights(release));
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list()).toHaveLength(12);
    expect((await model.live()).retired).toEqual([]);
    await model.setPinned(2, false);
    await model.endCandidate(BY);
    expect(await model.retain(0)).toEqual([8, 5, 2]);
    await expect(model.promote(2, BY)).rejects.toMatchObject({ code: "KN_CONFIG" });
  });

  it("counts and deletes only those that are meant", async () => {
    const { model, publish } = await modelScene();
    for (let value = 1; value <= 6; value += 1) await publish(value);
    await model.promote(6, BY);
    expect(await model.retain(1, ({ release }) => release % 2 === 0)).toEqual([4, 2]);
    expect((await model.releases()).map(({ release }) => release)).toEqual([6, 5, 3, 1]);
  });

  it("goes on after it was cut off: a retired release cannot become live, and is deleted next time", async () => {
    const { model, faults, publish } = await modelScene();
    for (const value of [1, 2, 3]) await publish(value);
    await model.promote(3, BY);
    faults.now = failTimes(1, { kind: "kv", operation: "delete" });
    await expect(model.retain(1)).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect((await model.live()).retired).toEqual([2, 1]);
    await expect(model.promote(1, BY)).rejects.toThrow(/KN_CONFIG.*being deleted/);
    await expect(model.rollback(BY, { to: 2 })).rejects.toThrow(/KN_CONFIG.*being deleted/);
    await expect(model.startCandidate({ release: 2, mode: "shadow", percent: 1 }, BY)).rejects.toThrow(/being deleted/);
    await expect(model.setPinned(9, true)).rejects.toMatchObject({ code: "KN_CONFIG" });
    expect(await model.retain(9)).toEqual([2, 1]);
    expect((await model.live()).live).toBe(3);
  });
});

describe("Model.retain, beside other processes", () => {
  it.each(["promote", "pin", "candidate"] as const)(
    "a release that gets a %s between the look at it and its deletion stays",
    async (change) => {
      const { model, open, faults, clock, publish } = await modelScene();
      for (const value of [1, 2, 3]) await publish(value);
      await model.promote(3, BY);
      const other = open();
      const changes = {
        promote: () => other.promote(1, BY),
        pin: () => other.setPinned(1, true),
        candidate: () => other.startCandidate({ release: 1, mode: "canary", percent: 5 }, BY),
      };
      // Its declaration of what it deletes takes a second; the other one is done meanwhile.
      faults.now = failTimes(1, { operation: "update", name: `${SCOPE}.live` }, { kind: "slow", delayMs: 1_000 });
      const retaining = model.retain(1);
      for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
      await changes[change]();
      await clock.advance(1_000);
      expect(await retaining).toEqual([2]);
      expect(await loadAll(model, 1)).toEqual(weights(1));
      expect((await model.live()).retired).toEqual([]);
    },
  );
});

describe("Model.setPinned", () => {
  it("pins and unpins; an unknown release is KN_CONFIG", async () => {
    const { model, publish } = await modelScene();
    await expect(model.setPinned(1, true)).rejects.toMatchObject({ code: "KN_CONFIG" });
    await publish(1);
    await model.setPinned(1, true);
    expect((await model.release(1)).isPinned).toBe(true);
    await model.setPinned(1, false);
    expect((await model.release(1)).isPinned).toBe(false);
    await expect(model.setPinned(2, true)).rejects.toMatchObject({ code: "KN_CONFIG" });
  });
});

describe("listModels", () => {
  it("names every model that has a release, and nothing of runs", async () => {
    const { store, open, publish } = await modelScene();
    expect(await listModels(store)).toEqual([]);
    await publish(1);
    await publish(2);
    await open("faces").publish(FACTS, weights(3));
    await (await openReleases(store, "run.teacher")).publish(weights(1));
    expect(await listModels(store)).toEqual([
      { model: "digits", releases: 2 },
      { model: "faces", releases: 1 },
    ]);
  });
});
