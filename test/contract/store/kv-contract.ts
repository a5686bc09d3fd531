/** Records: values, revisions, compare-and-set, keys, expiry. */
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { MAX_VALUE_BYTES } from "../../../src/runtime/store/index.ts";
import { waitFor } from "../../support/wait-for.ts";
import { BAD_FILTERS, BAD_NAMES, bytes, sha256, type StoreFactory, text, withKv, withStore } from "./store-harness.ts";

export function describeKv(factory: StoreFactory): void {
  it("get gives undefined for a key without a value", () =>
    withKv(factory, async (kv) => {
      expect(await kv.get("absent")).toBeUndefined();
    }));

  it("put sets a value that get gives back with its revision", () =>
    withKv(factory, async (kv) => {
      const revision = await kv.put("a.b", bytes("one"));
      const writtenMs = expect.any(Number) as number;
      expect(await kv.get("a.b")).toEqual({ key: "a.b", value: bytes("one"), revision, writtenMs });
      expect((await kv.get("a.b"))?.value.constructor).toBe(Uint8Array);
    }));

  it("writtenMs is the time of the write, later for a later one, and the same in get and watch", () =>
    withKv(factory, async (kv) => {
      await kv.put("a", bytes("one"));
      const first = await kv.get("a");
      await kv.put("a", bytes("two"));
      const second = await kv.get("a");
      expect(first?.writtenMs).toBeGreaterThanOrEqual(Date.UTC(2000, 0));
      expect(second?.writtenMs).toBeGreaterThanOrEqual(first?.writtenMs ?? Infinity);
      for await (const change of kv.watch("a")) {
        expect(change).toMatchObject({ kind: "put", entry: { writtenMs: second?.writtenMs } });
        break;
      }
    }));

  it("put takes an empty value and one of 512 KiB, and refuses a larger one with KN_OVERLOADED", () =>
    withKv(factory, async (kv) => {
      const largest = randomBytes(MAX_VALUE_BYTES);
      await kv.put("empty", new Uint8Array(0));
      await kv.put("largest", largest);
      await expect(kv.put("larger", new Uint8Array(MAX_VALUE_BYTES + 1))).rejects.toMatchObject({
        code: "KN_OVERLOADED",
      });
      expect((await kv.get("empty"))?.value).toEqual(new Uint8Array(0));
      expect(sha256((await kv.get("largest"))?.value ?? new Uint8Array(0))).toBe(sha256(largest));
      expect(await kv.get("larger")).toBeUndefined();
    }));

  it("put copies the value, and get gives a copy", () =>
    withKv(factory, async (kv) => {
      const given = bytes("before");
      const putting = kv.put("a", given);
      given.fill(0);
      await putting;
      (await kv.get("a"))?.value.fill(0);
      expect(text((await kv.get("a"))?.value)).toBe("before");
    }));

  it("revisions grow with every change of the bucket, and none is used twice", () =>
    withKv(factory, async (kv) => {
      const revisions = [await kv.put("a", bytes("1")), await kv.put("b", bytes("2")), await kv.put("a", bytes("3"))];
      await kv.delete("b");
      await kv.delete("a");
      revisions.push(await kv.create("a", bytes("4")), await kv.put("c", bytes("5")));
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      expect(revisions.at(-2)).toBeGreaterThan((revisions[2] ?? 0) + 1); // the deletions had theirs
    }));

  it("create sets only what has no value, KN_FENCED otherwise", () =>
    withKv(factory, async (kv) => {
      const revision = await kv.create("a", bytes("one"));
      await expect(kv.create("a", bytes("two"))).rejects.toMatchObject({
        code: "KN_FENCED",
        value: `revision ${revision}`,
      });
      expect(text((await kv.get("a"))?.value)).toBe("one");
      await kv.delete("a");
      await kv.create("a", bytes("three"));
      expect(text((await kv.get("a"))?.value)).toBe("three");
    }));

  it("create lets one of many at once win", () =>
    withKv(factory, async (kv) => {
      const names = Array.from({ length: 20 }, (_, i) => `node-${i}`);
      const outcomes = await Promise.allSettled(names.map((name) => kv.create("leader", bytes(name))));
      const winners = names.filter((_, i) => outcomes[i]?.status === "fulfilled");
      expect(winners).toHaveLength(1);
      expect(text((await kv.get("leader"))?.value)).toBe(winners[0]);
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "KN_FENCED" });
    }));

  it("update sets only the named revision, KN_FENCED otherwise", () =>
    withKv(factory, async (kv) => {
      const first = await kv.put("a", bytes("one"));
      const second = await kv.update("a", bytes("two"), first);
      expect(second).toBeGreaterThan(first);
      await expect(kv.update("a", bytes("three"), first)).rejects.toMatchObject({
        code: "KN_FENCED",
        value: `revision ${second}`,
      });
      await expect(kv.update("a", bytes("three"), second + 1)).rejects.toMatchObject({ code: "KN_FENCED" });
      expect(text((await kv.get("a"))?.value)).toBe("two");
    }));

  it("update of a key without a value rejects with KN_FENCED, also with the revision of its deletion", () =>
    withKv(factory, async (kv) => {
      await expect(kv.update("a", bytes("one"), 1)).rejects.toMatchObject({ code: "KN_FENCED", value: "absent" });
      const first = await kv.put("a", bytes("one"));
      await kv.delete("a");
      for (const revision of [first, first + 1]) {
        await expect(kv.update("a", bytes("two"), revision)).rejects.toMatchObject({
          code: "KN_FENCED",
          value: "absent",
        });
      }
    }));

  it("update in a read-change-write loop loses no increment", () =>
    withKv(factory, async (kv) => {
      await kv.put("count", bytes("0"));
      const increment = async (): Promise<void> => {
        for (;;) {
          const entry = await kv.get("count");
          const next = bytes(String(Number(text(entry?.value)) + 1));
          const outcome = await kv.update("count", next, entry?.revision ?? 0).catch((error: unknown) => error);
          if (typeof outcome === "number") return;
          expect(outcome).toMatchObject({ code: "KN_FENCED" });
        }
      };
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          for (let i = 0; i < 5; i += 1) await increment();
        }),
      );
      expect(text((await kv.get("count"))?.value)).toBe("20");
    }));

  it("delete removes the value; an absent key is no error", () =>
    withKv(factory, async (kv) => {
      await kv.put("a", bytes("one"));
      await kv.delete("a");
      expect(await kv.get("a")).toBeUndefined();
      expect(await kv.keys()).toEqual([]);
      await kv.delete("a");
      await kv.delete("a", 12345);
      await kv.delete("never", 1);
    }));

  it("delete with a revision removes only that one, KN_FENCED otherwise", () =>
    withKv(factory, async (kv) => {
      const first = await kv.put("a", bytes("one"));
      const second = await kv.put("a", bytes("two"));
      await expect(kv.delete("a", first)).rejects.toMatchObject({ code: "KN_FENCED", value: `revision ${second}` });
      expect(text((await kv.get("a"))?.value)).toBe("two");
      await kv.delete("a", second);
      expect(await kv.get("a")).toBeUndefined();
    }));

  it("keys gives those that have a value and match, sorted", () =>
    withKv(factory, async (kv) => {
      expect(await kv.keys()).toEqual([]);
      for (const key of ["b.2", "a.2.x", "b.1", "a.1", "a", "gone"]) await kv.put(key, bytes(key));
      await kv.delete("gone");
      expect(await kv.keys()).toEqual(["a", "a.1", "a.2.x", "b.1", "b.2"]);
      expect(await kv.keys("a.>")).toEqual(["a.1", "a.2.x"]);
      expect(await kv.keys("*.1")).toEqual(["a.1", "b.1"]);
      expect(await kv.keys("a")).toEqual(["a"]);
      expect(await kv.keys("c.>")).toEqual([]);
      expect(await kv.keys("gone")).toEqual([]);
    }));

  it("entries gives the values of those that match, sorted by key", () =>
    withKv(factory, async (kv) => {
      for (const key of ["b.2", "b.1", "a", "b.gone"]) await kv.put(key, bytes(key));
      await kv.delete("b.gone");
      const entries = await kv.entries("b.*");
      expect(entries).toEqual([await kv.get("b.1"), await kv.get("b.2")]);
      expect((await kv.entries()).map(({ key }) => key)).toEqual(["a", "b.1", "b.2"]);
      await expect(kv.entries("a..b")).rejects.toMatchObject({ code: "KN_CONFIG" });
    }));

  it("keys that end like the store's own files are keys", () =>
    withKv(factory, async (kv, harness) => {
      const names = ["a.partial", "lock", "a.tmp", "revision", "bucket"];
      for (const name of names) await kv.put(name, bytes(name));
      await harness.reopen();
      const again = await harness.store.kv("records");
      expect(await again.keys()).toEqual([...names].sort());
    }));

  it("kv gives one bucket to all who open it", () =>
    withStore(factory, async ({ store }) => {
      const [one, two] = await Promise.all([store.kv("shared"), store.kv("shared")]);
      const other = await store.kv("other");
      await one.put("a", bytes("1"));
      expect(text((await two.get("a"))?.value)).toBe("1");
      expect(await other.get("a")).toBeUndefined();
    }));

  it("kv with ttlMs forgets a value that long after its last change", () =>
    withStore(factory, async (harness) => {
      const { store } = harness;
      const kv = await store.kv("leases", { ttlMs: 1_000 });
      const first = await kv.create("lease", bytes("one"));
      await expect(kv.create("lease", bytes("two"))).rejects.toMatchObject({ code: "KN_FENCED" });
      await harness.passTime(1_000);
      await waitFor(async () => (await kv.get("lease")) === undefined, "the expiry");
      expect(await kv.keys()).toEqual([]);
      await expect(kv.update("lease", bytes("two"), first)).rejects.toMatchObject({ code: "KN_FENCED" });
      await kv.delete("lease", first); // what has expired is no error
      const second = await kv.create("lease", bytes("two"));
      expect(second).toBeGreaterThan(first);
      expect(text((await kv.get("lease"))?.value)).toBe("two");
    }));

  it("kv rejects another ttlMs than the bucket was made with, and impossible ones, with KN_CONFIG", () =>
    withStore(factory, async (harness) => {
      await harness.store.kv("leases", { ttlMs: 60_000 });
      await harness.store.kv("leases", { ttlMs: 60_000 });
      await expect(harness.store.kv("leases", { ttlMs: 1_000 })).rejects.toMatchObject({ code: "KN_CONFIG" });
      await expect(harness.store.kv("leases")).rejects.toMatchObject({ code: "KN_CONFIG" });
      for (const ttlMs of [0, -1, 99, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(harness.store.kv("others", { ttlMs })).rejects.toMatchObject({ code: "KN_CONFIG" });
      }
      await harness.reopen();
      await expect(harness.store.kv("leases")).rejects.toMatchObject({ code: "KN_CONFIG" });
    }));

  it("kv rejects malformed keys and filters with KN_CONFIG", () =>
    withKv(factory, async (kv) => {
      const malformed = { code: "KN_CONFIG" };
      for (const key of BAD_NAMES) {
        await expect(kv.get(key)).rejects.toMatchObject(malformed);
        await expect(kv.put(key, bytes("x"))).rejects.toMatchObject(malformed);
        await expect(kv.create(key, bytes("x"))).rejects.toMatchObject(malformed);
        await expect(kv.update(key, bytes("x"), 1)).rejects.toMatchObject(malformed);
        await expect(kv.delete(key)).rejects.toMatchObject(malformed);
      }
      for (const filter of BAD_FILTERS) {
        await expect(kv.keys(filter)).rejects.toMatchObject(malformed);
        expect(() => kv.watch(filter)).toThrow(expect.objectContaining(malformed));
      }
      expect(await kv.keys()).toEqual([]);
    }));

  it("kv keeps values and revisions over a restart", () =>
    withKv(factory, async (kv, harness) => {
      const revision = await kv.put("a", bytes("one"));
      await kv.put("b", bytes("two"));
      await kv.delete("b");
      await harness.reopen();
      const again = await harness.store.kv("records");
      const writtenMs = expect.any(Number) as number;
      expect(await again.get("a")).toEqual({ key: "a", value: bytes("one"), revision, writtenMs });
      expect(await again.keys()).toEqual(["a"]);
      expect(await again.put("c", bytes("three"))).toBeGreaterThan(revision + 2);
    }));
}
