import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileOfRecord, fileStore, readFileStore } from "../../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("readFileStore", () => {
  it("reads records and blobs beside the process that has the store open, as they are when they are asked for", async () => {
    await using folder = await temporaryFolder();
    await using open = await fileStore({ directory: folder.path });
    const [kv, blobs] = [await open.kv("records"), await open.blobs("blobs")];
    await kv.put("a", bytes("1"));
    await blobs.put("b", bytes("2"));
    await using reader = await readFileStore({ directory: folder.path });
    expect((await (await reader.kv("records")).get("a"))?.value).toEqual(bytes("1"));
    expect(await (await reader.blobs("blobs")).get("b")).toEqual(bytes("2"));
    await kv.put("a", bytes("3"));
    await blobs.delete("b");
    expect(await (await reader.blobs("blobs")).get("b")).toBeUndefined();
    await using again = await readFileStore({ directory: folder.path });
    expect((await (await again.kv("records")).get("a"))?.value).toEqual(bytes("3"));
  });

  it("changes nothing: neither records nor blobs nor folders, and what others write stays", async () => {
    await using folder = await temporaryFolder();
    const directory = join(folder.path, "none");
    await using reader = await readFileStore({ directory });
    const [kv, blobs] = [await reader.kv("records"), await reader.blobs("blobs")];
    expect([await kv.keys(), await blobs.list(), await reader.buckets()]).toEqual([[], [], []]);
    for (const change of [kv.put("a", bytes("1")), kv.create("a", bytes("1")), blobs.put("b", bytes("2"))])
      await expect(change).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    await expect(readdir(directory)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("fileOfRecord", () => {
  it("is the file that a record is in", async () => {
    await using folder = await temporaryFolder();
    await using store = await fileStore({ directory: folder.path });
    await (await store.kv("records")).put("a.b", bytes("1"));
    const path = fileOfRecord(folder.path, "records", "a.b");
    expect(await readdir(join(path, ".."))).toContain("a.b");
  });
});
