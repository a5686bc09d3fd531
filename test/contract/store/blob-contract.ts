/** Blobs. */
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { BAD_NAMES, bytes, sha256, type StoreFactory, text, withStore } from "./store-harness.ts";

const BIG_BLOB_BYTES = 3 * 1024 * 1024 + 17;

export function describeBlobs(factory: StoreFactory): void {
  it("blobs give back what was put, with its SHA-256", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      for (const [name, content] of [
        ["big", randomBytes(BIG_BLOB_BYTES)],
        ["empty", new Uint8Array(0)],
        ["block-0.7", bytes("small")],
      ] as const) {
        const info = await blobs.put(name, content);
        const revision = expect.any(Number) as number;
        expect(info).toEqual({ name, sizeBytes: content.byteLength, digest: sha256(content), revision });
        const back = await blobs.get(name);
        expect(back?.constructor).toBe(Uint8Array);
        expect(back?.byteLength).toBe(content.byteLength);
        expect(sha256(back ?? bytes("absent"))).toBe(info.digest);
        expect(await blobs.info(name)).toEqual(info);
      }
    }));

  it("blobs give undefined for what is absent", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      expect(await blobs.get("absent")).toBeUndefined();
      expect(await blobs.info("absent")).toBeUndefined();
      expect(await blobs.list()).toEqual([]);
      await blobs.delete("absent");
    }));

  it("blobs replace by put and forget by delete", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      await blobs.put("a", randomBytes(BIG_BLOB_BYTES));
      await blobs.put("a", bytes("new"));
      expect(text(await blobs.get("a"))).toBe("new");
      expect(await blobs.list()).toHaveLength(1);
      await blobs.delete("a");
      expect(await blobs.get("a")).toBeUndefined();
      expect(await blobs.info("a")).toBeUndefined();
      expect(await blobs.list()).toEqual([]);
      await blobs.put("a", bytes("again"));
      expect(text(await blobs.get("a"))).toBe("again");
    }));

  it("put gives a name a higher revision each time, also after a delete and a restart", () =>
    withStore(factory, async (harness) => {
      const revisions: number[] = [];
      const put = async (): Promise<void> => {
        const { revision } = await (await harness.store.blobs("checkpoints")).put("a", bytes("same"));
        revisions.push(revision);
      };
      await put();
      await put();
      await harness.reopen();
      await put();
      await (await harness.store.blobs("checkpoints")).delete("a");
      await put();
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    }));

  it("delete with a revision removes only that one, and returns false when the name was written again", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      const first = await blobs.put("a", bytes("one"));
      const second = await blobs.put("a", bytes("two"));
      expect(await blobs.delete("a", { revision: first.revision })).toBe(false);
      expect(text(await blobs.get("a"))).toBe("two");
      expect(await blobs.delete("a", { revision: second.revision })).toBe(true);
      expect(await blobs.info("a")).toBeUndefined();
      expect(await blobs.delete("a", { revision: second.revision })).toBe(true);
    }));

  it("delete with a revision leaves the blob of a put at the same time, or comes first", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      for (let round = 0; round < 10; round += 1) {
        const { revision } = await blobs.put("a", bytes("old"));
        await Promise.all([blobs.put("a", bytes(`new ${round}`)), blobs.delete("a", { revision })]);
        expect(text(await blobs.get("a"))).toBe(`new ${round}`);
      }
    }));

  it("list gives the names that begin with the prefix", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      for (const name of ["run", "run.a", "run.a.1", "run.ab", "run-2.a"]) await blobs.put(name, bytes(name));
      const names = async (prefix?: string): Promise<string[]> => (await blobs.list(prefix)).map(({ name }) => name);
      expect(await names()).toEqual(["run", "run-2.a", "run.a", "run.a.1", "run.ab"]);
      expect(await names("run.")).toEqual(["run.a", "run.a.1", "run.ab"]);
      expect(await names("run.a")).toEqual(["run.a", "run.a.1", "run.ab"]);
      expect(await names("run.a.")).toEqual(["run.a.1"]);
      expect(await names("other.")).toEqual([]);
      for (const prefix of ["*", ".", "a..", "a/", ">"]) {
        await expect(blobs.list(prefix)).rejects.toMatchObject({ code: "KN_CONFIG" });
      }
    }));

  it("blobs are listed sorted by name, each bucket its own", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      const other = await store.blobs("other");
      const infos = [];
      for (const name of ["b", "a.10", "a.9", "a.partial"]) infos.push(await blobs.put(name, bytes(name)));
      await other.put("elsewhere", bytes("x"));
      expect(await blobs.list()).toEqual(infos.sort((x, y) => (x.name < y.name ? -1 : 1)));
    }));

  it("blobs are never seen half, while they are replaced", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      const versions = Array.from({ length: 6 }, () => randomBytes(1024 * 1024));
      const known = new Set(versions.map(sha256));
      await blobs.put("a", versions[0] ?? bytes(""));
      let isWriting = true;
      const reading = (async () => {
        const found = new Set<string>();
        while (isWriting) found.add(sha256((await blobs.get("a")) ?? bytes("absent")));
        return found;
      })();
      for (const version of versions) await blobs.put("a", version);
      isWriting = false;
      for (const digest of await reading) expect(known).toContain(digest);
      expect(sha256((await blobs.get("a")) ?? bytes("absent"))).toBe(sha256(versions.at(-1) ?? bytes("")));
    }));

  it("blobs of one name put at once leave one of them whole", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      const versions = Array.from({ length: 4 }, () => randomBytes(512 * 1024));
      await Promise.all(versions.map((version) => blobs.put("a", version)));
      const digest = sha256((await blobs.get("a")) ?? bytes("absent"));
      expect(versions.map(sha256)).toContain(digest);
      expect((await blobs.info("a"))?.digest).toBe(digest);
    }));

  it("blobs that are damaged are refused with KN_CHECKPOINT, the others are read", () =>
    withStore(factory, async (harness) => {
      const blobs = await harness.store.blobs("checkpoints");
      await blobs.put("good", bytes("intact"));
      await blobs.put("bad", randomBytes(BIG_BLOB_BYTES));
      await harness.damageBlob("checkpoints", "bad");
      await expect(blobs.get("bad")).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      expect(text(await blobs.get("good"))).toBe("intact");
      await blobs.put("bad", bytes("mended"));
      expect(text(await blobs.get("bad"))).toBe("mended");
    }));

  it("Blobs.sweep keeps every blob whole, also those that are put meanwhile, and leaves what is unfinished to them", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      const kept = randomBytes(BIG_BLOB_BYTES);
      await blobs.put("kept", kept);
      await blobs.put("replaced", bytes("old"));
      const versions = Array.from({ length: 8 }, () => randomBytes(BIG_BLOB_BYTES));
      const putting = Promise.all(versions.map((version, i) => blobs.put(i === 0 ? "replaced" : `new.${i}`, version)));
      const swept = [];
      for (const isDryRun of [true, false, true]) swept.push(...(await blobs.sweep({ isDryRun })));
      await putting;
      swept.push(...(await blobs.sweep()));
      expect(swept).toEqual([]);
      expect(sha256((await blobs.get("kept")) ?? bytes("absent"))).toBe(sha256(kept));
      for (const [i, version] of versions.entries()) {
        const content = await blobs.get(i === 0 ? "replaced" : `new.${i}`);
        expect(sha256(content ?? bytes("absent"))).toBe(sha256(version));
      }
    }));

  it("blobs reject malformed names with KN_CONFIG", () =>
    withStore(factory, async ({ store }) => {
      const blobs = await store.blobs("checkpoints");
      const malformed = { code: "KN_CONFIG" };
      for (const name of BAD_NAMES) {
        await expect(blobs.put(name, bytes("x"))).rejects.toMatchObject(malformed);
        await expect(blobs.get(name)).rejects.toMatchObject(malformed);
        await expect(blobs.info(name)).rejects.toMatchObject(malformed);
        await expect(blobs.delete(name)).rejects.toMatchObject(malformed);
      }
      expect(await blobs.list()).toEqual([]);
    }));

  it("blobs last over a restart", () =>
    withStore(factory, async (harness) => {
      const content = randomBytes(BIG_BLOB_BYTES);
      await (await harness.store.blobs("checkpoints")).put("a", content);
      await harness.reopen();
      const back = await (await harness.store.blobs("checkpoints")).get("a");
      expect(sha256(back ?? bytes("absent"))).toBe(sha256(content));
    }));
}
