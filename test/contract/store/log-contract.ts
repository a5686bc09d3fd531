/** Logs: append, read from a position, bound, removal. */
import { expect, it } from "vitest";
import { type Log, MAX_VALUE_BYTES } from "../../../src/runtime/store/index.ts";
import { BAD_NAMES, bytes, type StoreFactory, text, withStore } from "./store-harness.ts";

const readAll = async (log: Log, from?: number): Promise<string[]> => {
  const found: string[] = [];
  for await (const { data } of log.read(from === undefined ? {} : { from })) found.push(text(data) ?? "");
  return found;
};

export function describeLogs(factory: StoreFactory): void {
  it("log gives back what was appended, in order, with growing positions", () =>
    withStore(factory, async ({ store }) => {
      const log = await store.log("run.evaluations");
      const other = await store.log("run.switches");
      const positions: number[] = [];
      for (const each of ["one", "two", "three"]) {
        positions.push(await log.append(bytes(each)));
        await other.append(bytes(`not ${each}`));
      }
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
      const entries = [];
      for await (const entry of log.read()) entries.push(entry);
      expect(entries).toEqual(
        ["one", "two", "three"].map((each, i) => ({ position: positions[i], data: bytes(each) })),
      );
      expect(entries[0]?.data.constructor).toBe(Uint8Array);
    }));

  it("log reads from a position on, and nothing past the end", () =>
    withStore(factory, async ({ store }) => {
      const log = await store.log("run");
      expect(await readAll(log)).toEqual([]);
      const positions: number[] = [];
      for (const each of ["one", "two", "three"]) positions.push(await log.append(bytes(each)));
      const [, second = 0, third = 0] = positions;
      expect(await readAll(log, second)).toEqual(["two", "three"]);
      expect(await readAll(log, third + 1)).toEqual([]);
    }));

  it("log keeps the entries of appends at once, each once", () =>
    withStore(factory, async ({ store }) => {
      const [log, same] = await Promise.all([store.log("run"), store.log("run")]);
      const sent = Array.from({ length: 20 }, (_, i) => String(i));
      await Promise.all(sent.map((each, i) => (i % 2 === 0 ? log : same).append(bytes(each))));
      expect((await readAll(log)).sort((a, b) => Number(a) - Number(b))).toEqual(sent);
    }));

  it("append copies the entry, takes an empty one, and refuses one above 512 KiB with KN_OVERLOADED", () =>
    withStore(factory, async ({ store }) => {
      const log = await store.log("run");
      const given = bytes("before");
      const appending = log.append(given);
      given.fill(0);
      await appending;
      await log.append(new Uint8Array(0));
      await expect(log.append(new Uint8Array(MAX_VALUE_BYTES + 1))).rejects.toMatchObject({ code: "KN_OVERLOADED" });
      expect(await readAll(log)).toEqual(["before", ""]);
    }));

  it("log with maxEntries keeps at least that many of the newest and at most twice as many", () =>
    withStore(factory, async (harness) => {
      for (let i = 0; i < 25; i += 1) {
        if (i === 13) await harness.reopen();
        await (await harness.store.log("run", { maxEntries: 4 })).append(bytes(String(i)));
        const kept = await readAll(await harness.store.log("run"));
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(i + 1, 4));
        expect(kept.length).toBeLessThanOrEqual(8);
        expect(kept).toEqual(Array.from({ length: kept.length }, (_, k) => String(i + 1 - kept.length + k)));
      }
    }));

  it("removeBefore deletes what is below a position, and never the newest entry", () =>
    withStore(factory, async (harness) => {
      const log = await harness.store.log("run", { maxEntries: 4 });
      const other = await harness.store.log("other");
      await log.removeBefore(1_000);
      const positions: number[] = [];
      for (const each of ["one", "two", "three", "four"]) {
        positions.push(await log.append(bytes(each)));
        await other.append(bytes(each));
      }
      await log.removeBefore(positions[0] ?? 0);
      expect(await readAll(log)).toEqual(["one", "two", "three", "four"]);
      await log.removeBefore(positions[2] ?? 0);
      expect(await readAll(log)).toEqual(["three", "four"]);
      await log.removeBefore(1_000_000);
      await harness.reopen();
      const again = await harness.store.log("run", { maxEntries: 4 });
      expect(await readAll(again)).toEqual(["four"]);
      expect(await again.append(bytes("five"))).toBeGreaterThan(positions[3] ?? 0);
      for (let i = 0; i < 10; i += 1) await again.append(bytes(String(i)));
      expect((await readAll(again)).slice(-4)).toEqual(["6", "7", "8", "9"]);
      expect(await readAll(await harness.store.log("other"))).toHaveLength(4);
    }));

  it("log lasts over a restart, and positions go on", () =>
    withStore(factory, async (harness) => {
      const first = await (await harness.store.log("run")).append(bytes("one"));
      await harness.reopen();
      const log = await harness.store.log("run");
      expect(await log.append(bytes("two"))).toBeGreaterThan(first);
      expect(await readAll(log)).toEqual(["one", "two"]);
    }));

  it("logs lists those that have an entry, and removeLog deletes one with its entries", () =>
    withStore(factory, async ({ store }) => {
      expect(await store.logs()).toEqual([]);
      await store.removeLog("run.a");
      for (const name of ["run.b", "run.a", "run-2"]) await (await store.log(name)).append(bytes(name));
      await store.log("run.empty");
      expect(await store.logs()).toEqual(["run-2", "run.a", "run.b"]);
      expect(await store.logs("run.")).toEqual(["run.a", "run.b"]);
      const open = await store.log("run.a");
      await store.removeLog("run.a");
      expect(await store.logs()).toEqual(["run-2", "run.b"]);
      expect(await readAll(open)).toEqual([]);
      await open.append(bytes("again"));
      expect(await readAll(await store.log("run.a"))).toEqual(["again"]);
    }));

  it("log rejects malformed names and bounds with KN_CONFIG", () =>
    withStore(factory, async ({ store }) => {
      const malformed = { code: "KN_CONFIG" };
      for (const name of BAD_NAMES) {
        await expect(store.log(name)).rejects.toMatchObject(malformed);
        await expect(store.removeLog(name)).rejects.toMatchObject(malformed);
      }
      for (const maxEntries of [0, -1, 1.5, Number.NaN]) {
        await expect(store.log("run", { maxEntries })).rejects.toMatchObject(malformed);
      }
      expect(await store.logs()).toEqual([]);
    }));
}
