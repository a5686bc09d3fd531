import { spawn } from "node:child_process";
import * as promises from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { type FileSystem, fileStore, type Log } from "../../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function entriesOf(log: Log): Promise<string[]> {
  const found: string[] = [];
  for await (const { data } of log.read()) found.push(new TextDecoder().decode(data));
  return found;
}

/** The real file system until `failure` is set; then every write stores some bytes and fails with it. */
function failingFileSystem() {
  const state: { failure: string | undefined } = { failure: undefined };
  const fail = (code: string): never => {
    throw Object.assign(new Error(`${code}: simulated`), { code });
  };
  const fileSystem: FileSystem = {
    ...promises,
    open: async (...parameters) => {
      const [, flags] = parameters;
      if (state.failure === undefined || flags === "r") return promises.open(...parameters);
      if (state.failure !== "ENOSPC") return fail(state.failure);
      const file = await promises.open(...parameters);
      const writePart = file.write.bind(file);
      return Object.assign(file, {
        writeFile: async () => {
          await writePart("a part");
          fail("ENOSPC");
        },
        write: async (_: Uint8Array, __: number, ___: number, position: number) => {
          await writePart("a part", position);
          return fail("ENOSPC");
        },
      });
    },
  };
  return { fileSystem, state };
}

describe("FileStore on a disk that fails", () => {
  it.each([
    ["ENOSPC", "KN_CHECKPOINT", "free some space"],
    ["EROFS", "KN_UNAVAILABLE", "mount it writable"],
    ["EACCES", "KN_UNAVAILABLE", "change the folder's rights"],
  ])("on %s rejects with %s and the remedy, and keeps the previous state", async (failure, code, remedy) => {
    await using folder = await temporaryFolder();
    const { fileSystem, state } = failingFileSystem();
    await using store = await fileStore({ directory: folder.path, fileSystem });
    const kv = await store.kv("records");
    const blobs = await store.blobs("checkpoints");
    const first = await kv.put("a", bytes("kept"));
    await blobs.put("a", bytes("kept"));
    const log = await store.log("run");
    await log.append(bytes("kept"));

    state.failure = failure;
    const mayPass = failure === "ENOSPC";
    const refused = { code, mayPass, message: expect.stringContaining(remedy) as string };
    await expect(kv.update("a", bytes("lost"), first)).rejects.toMatchObject(refused);
    await expect(kv.create("b", bytes("lost"))).rejects.toMatchObject(refused);
    await expect(blobs.put("a", bytes("lost"))).rejects.toMatchObject(refused);
    await expect(blobs.put("b", bytes("lost"))).rejects.toMatchObject(refused);
    await expect(log.append(bytes("lost"))).rejects.toMatchObject(refused);
    expect(await entriesOf(log)).toEqual(["kept"]);

    expect(await kv.keys()).toEqual(["a"]);
    expect((await kv.get("a"))?.revision).toBe(first);
    expect(await blobs.get("a")).toEqual(bytes("kept"));
    expect(await blobs.list()).toHaveLength(1);
    state.failure = undefined;
    expect(await kv.update("a", bytes("again"), first)).toBeGreaterThan(first);
    await blobs.put("b", bytes("again"));
    await log.append(bytes("again"));
    expect(await entriesOf(log)).toEqual(["kept", "again"]);
    expect(await promises.readdir(join(folder.path, "blobs", "checkpoints"))).toEqual(["a", "b"]);
  });

  it("rejects with KN_UNAVAILABLE when the folder is a file", async () => {
    await using folder = await temporaryFolder();
    await promises.writeFile(join(folder.path, "file"), "");
    const opening = fileStore({ directory: join(folder.path, "file", "store") });
    await expect(opening).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  });
});

describe("FileStore after a crash", () => {
  it("removes half-written files and reads the whole ones", async () => {
    await using folder = await temporaryFolder();
    const before = await fileStore({ directory: folder.path });
    await (await before.kv("records")).put("a", bytes("kept"));
    await (await before.blobs("checkpoints")).put("a", bytes("kept"));
    await before.close();
    const leftovers = [
      join(folder.path, "kv", "records", ".partial-7"),
      join(folder.path, "blobs", "checkpoints", ".partial-8"),
    ];
    for (const leftover of leftovers) await promises.writeFile(leftover, "half");

    await using after = await fileStore({ directory: folder.path });
    expect((await (await after.kv("records")).get("a"))?.value).toEqual(bytes("kept"));
    expect(await (await after.blobs("checkpoints")).list()).toHaveLength(1);
    for (const leftover of leftovers) await expect(promises.access(leftover)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("Blobs.sweep removes files of writes that failed, and lists them first where it is asked to", async () => {
    await using folder = await temporaryFolder();
    await using store = await fileStore({ directory: folder.path });
    const blobs = await store.blobs("checkpoints");
    await blobs.put("a", bytes("kept"));
    const leftover = join(folder.path, "blobs", "checkpoints", ".partial-99");
    await promises.writeFile(leftover, "half");
    expect(await blobs.sweep({ isDryRun: true })).toEqual([".partial-99"]);
    await promises.access(leftover);
    expect(await blobs.sweep()).toEqual([".partial-99"]);
    await expect(promises.access(leftover)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await blobs.get("a")).toEqual(bytes("kept"));
  });

  it("refuses a damaged record with KN_CHECKPOINT instead of calling it absent", async () => {
    await using folder = await temporaryFolder();
    const before = await fileStore({ directory: folder.path });
    const kv = await before.kv("records");
    await kv.put("flipped", bytes("value"));
    await kv.put("empty", bytes("value"));
    await before.close();
    const path = join(folder.path, "kv", "records");
    await promises.appendFile(join(path, "flipped"), "x");
    await promises.writeFile(join(path, "empty"), "");

    await using after = await fileStore({ directory: folder.path });
    const again = await after.kv("records");
    for (const key of ["flipped", "empty"]) {
      await expect(again.get(key)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
      await expect(again.create(key, bytes("x"))).rejects.toMatchObject({ code: "KN_FENCED" });
      await again.put(key, bytes("mended"));
      expect((await again.get(key))?.value).toEqual(bytes("mended"));
    }
  });

  it("refuses a blob that is shorter than its digest with KN_CHECKPOINT", async () => {
    await using folder = await temporaryFolder();
    await using store = await fileStore({ directory: folder.path });
    const blobs = await store.blobs("checkpoints");
    await promises.writeFile(join(folder.path, "blobs", "checkpoints", "short"), "x");
    await expect(blobs.get("short")).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    await expect(blobs.info("short")).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
  });

  it("reads a log without the entry that the crash cut short, and appends in its place", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "logs", "run");
    for (const cut of [1, 20, 44, 47]) {
      const before = await fileStore({ directory: folder.path });
      await before.removeLog("run");
      const log = await before.log("run");
      await log.append(bytes("one"));
      await log.append(bytes("two"));
      await before.close();
      await promises.truncate(path, (await promises.stat(path)).size - cut);

      const after = await fileStore({ directory: folder.path });
      const again = await after.log("run");
      expect(await entriesOf(again)).toEqual(["one"]);
      await again.append(bytes("three"));
      expect(await entriesOf(again)).toEqual(["one", "three"]);
      await after.close();
    }
  });

  it("reads a log without an entry whose bytes were changed", async () => {
    await using folder = await temporaryFolder();
    const before = await fileStore({ directory: folder.path });
    const log = await before.log("run");
    for (const each of ["one", "two", "three"]) await log.append(bytes(each));
    await before.close();
    const path = join(folder.path, "logs", "run");
    const content = await promises.readFile(path);
    content[content.indexOf("two")] = 0;
    await promises.writeFile(path, content);
    await using after = await fileStore({ directory: folder.path });
    const again = await after.log("run");
    expect(await entriesOf(again)).toEqual(["one", "three"]);
    await again.append(bytes("four"));
    expect(await entriesOf(again)).toEqual(["one", "three", "four"]);
  });

  it("finishes the removal of a bucket that the crash cut short", async () => {
    await using folder = await temporaryFolder();
    const leftover = join(folder.path, "kv", ".partial-3");
    await promises.mkdir(leftover, { recursive: true });
    await promises.writeFile(join(leftover, "a"), "x");
    await using store = await fileStore({ directory: folder.path });
    expect(await store.buckets()).toEqual([]);
    await expect(promises.access(leftover)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("lets time to live go on while no process runs", async () => {
    await using folder = await temporaryFolder();
    const clock = simulatedClock();
    const before = await fileStore({ directory: folder.path, clock });
    await (await before.kv("leases", { ttlMs: 1_000 })).put("lease", bytes("x"));
    await before.close();
    await clock.advance(1_000);
    await using after = await fileStore({ directory: folder.path, clock });
    expect(await (await after.kv("leases", { ttlMs: 1_000 })).get("lease")).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("FileStore's lock", () => {
  const lockOf = (owner: object): string => JSON.stringify({ host: hostname(), token: "another", ...owner });

  /** The process id of a program that has ended. */
  const deadPid = (): Promise<number> =>
    new Promise((resolve) => {
      const child = spawn("true");
      child.once("exit", () => {
        resolve(child.pid ?? 0);
      });
    });

  it("refuses a second store on one folder with KN_UNAVAILABLE until the first is closed", async () => {
    await using folder = await temporaryFolder();
    const first = await fileStore({ directory: folder.path });
    const refused = { code: "KN_UNAVAILABLE", value: `held by process ${process.pid} on ${hostname()}` };
    await expect(fileStore({ directory: folder.path })).rejects.toMatchObject(refused);
    await first.close();
    await using second = await fileStore({ directory: folder.path });
    expect(second.description).toBe(`file:${folder.path}`);
  });

  it("refuses a folder of a living process, naming it", async () => {
    await using folder = await temporaryFolder();
    const child = spawn("sleep", ["60"]);
    try {
      await promises.writeFile(join(folder.path, "lock"), lockOf({ pid: child.pid }));
      await expect(fileStore({ directory: folder.path })).rejects.toMatchObject({
        code: "KN_UNAVAILABLE",
        message: expect.stringContaining(String(child.pid)) as string,
      });
    } finally {
      child.kill();
    }
  });

  it("takes over from a dead process, from an earlier life of this one, and from a pid used again", async () => {
    const staleOnes = [
      lockOf({ pid: await deadPid() }),
      lockOf({ pid: process.pid }),
      lockOf({ pid: process.ppid, startedTicks: "1" }),
    ];
    for (const stale of staleOnes) {
      await using folder = await temporaryFolder();
      await promises.writeFile(join(folder.path, "lock"), stale);
      await using store = await fileStore({ directory: folder.path });
      await (await store.kv("records")).put("a", bytes("x"));
      expect((await promises.readdir(folder.path)).sort()).toEqual(["kv", "lock"]);
    }
  });

  it("refuses a lock whose owner it cannot check: of another host, or illegible", async () => {
    for (const text of [lockOf({ pid: 1, host: "elsewhere" }), "", "{}"]) {
      await using folder = await temporaryFolder();
      await promises.writeFile(join(folder.path, "lock"), text);
      await expect(fileStore({ directory: folder.path })).rejects.toMatchObject({
        code: "KN_UNAVAILABLE",
        remedy: expect.stringContaining("delete") as string,
      });
    }
  });

  it("lets one of many that open a folder with a stale lock at once have it", async () => {
    await using folder = await temporaryFolder();
    await promises.writeFile(join(folder.path, "lock"), lockOf({ pid: await deadPid() }));
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => fileStore({ directory: folder.path })));
    const opened = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(opened).toHaveLength(1);
    for (const { value } of opened) await value.close();
  });
});
