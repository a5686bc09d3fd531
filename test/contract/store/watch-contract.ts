/** Watching records. */
import { expect, it } from "vitest";
import type { KeyValue, KvChange } from "../../../src/runtime/store/index.ts";
import { waitFor } from "../../support/wait-for.ts";
import { bytes, type StoreFactory, text, withKv } from "./store-harness.ts";

/** Reads changes in the background. */
const follow = (kv: KeyValue, filter: string) => {
  const seen: string[] = [];
  const controller = new AbortController();
  const ended = (async () => {
    for await (const change of kv.watch(filter, { signal: controller.signal })) seen.push(spoken(change));
  })();
  return {
    seen,
    ended,
    stop: () => {
      controller.abort();
    },
  };
};
const spoken = (change: KvChange): string =>
  change.kind === "put"
    ? `${change.entry.key}=${text(change.entry.value)}@${change.entry.revision}`
    : `-${change.key}@${change.revision}`;

export function describeWatch(factory: StoreFactory): void {
  it("watch gives the present values, then every change, of the keys that match", () =>
    withKv(factory, async (kv) => {
      const a = await kv.put("x.a", bytes("1"));
      await kv.put("y.a", bytes("elsewhere"));
      await kv.put("x.gone", bytes("0"));
      await kv.delete("x.gone");
      const { seen, ended, stop } = follow(kv, "x.*");
      await waitFor(() => seen.length === 1, "the present value");
      const b = await kv.put("x.b", bytes("2"));
      await kv.put("y.b", bytes("elsewhere"));
      await kv.put("x.b.c", bytes("too deep"));
      await waitFor(() => seen.length === 2, "the new key");
      const a2 = await kv.update("x.a", bytes("3"), a);
      await waitFor(() => seen.length === 3, "the update");
      await kv.delete("x.b");
      await waitFor(() => seen.length === 4, "the deletion");
      const [last] = seen.slice(-1);
      expect(seen.slice(0, 3)).toEqual([`x.a=1@${a}`, `x.b=2@${b}`, `x.a=3@${a2}`]);
      expect(last).toMatch(/^-x\.b@\d+$/);
      stop();
      await ended;
    }));

  it("watch on an empty bucket waits for the first value", () =>
    withKv(factory, async (kv) => {
      const { seen, ended, stop } = follow(kv, ">");
      const revision = await kv.put("a", bytes("1"));
      await waitFor(() => seen.length === 1, "the value");
      expect(seen).toEqual([`a=1@${revision}`]);
      stop();
      await ended;
    }));

  it("watch ends without an error when its signal aborts, before or meanwhile", () =>
    withKv(factory, async (kv) => {
      await kv.put("a", bytes("1"));
      const { seen, ended, stop } = follow(kv, ">");
      await waitFor(() => seen.length === 1, "the value");
      stop();
      await ended;
      const none: KvChange[] = [];
      for await (const change of kv.watch(">", { signal: AbortSignal.abort() })) none.push(change);
      expect(none).toEqual([]);
    }));

  it("watch ends when the reader leaves it", () =>
    withKv(factory, async (kv) => {
      await kv.put("a", bytes("1"));
      await kv.put("b", bytes("2"));
      const seen: string[] = [];
      for await (const change of kv.watch(">")) {
        seen.push(change.kind === "put" ? change.entry.key : "");
        break;
      }
      expect(seen).toEqual(["a"]);
    }));

  it("watch ends when its reader returns while it waits", () =>
    withKv(factory, async (kv) => {
      const iterator = kv.watch(">")[Symbol.asyncIterator]();
      const waiting = iterator.next();
      await iterator.return?.();
      expect(await waiting).toMatchObject({ done: true });
    }));

  it("watch ends without an error when the store closes", () =>
    withKv(factory, async (kv, harness) => {
      await kv.put("a", bytes("1"));
      const { seen, ended } = follow(kv, ">");
      await waitFor(() => seen.length === 1, "the value");
      await harness.store.close();
      await ended;
    }));
}
