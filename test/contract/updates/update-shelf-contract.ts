/** What the shelf of updates does on every store: the same tests in memory, in a folder and on JetStream. */
import { describe, expect, it } from "vitest";
import {
  type BuiltUpdate,
  buildUpdate,
  openUpdateShelf,
  type ShelfHead,
  type UpdateShelf,
} from "../../../src/models/updates/index.ts";
import { clearShelf, storedShelves } from "../../../src/models/shelf/index.ts";
import type { Store } from "../../../src/runtime/store/index.ts";
import { MODEL, trainerOf } from "../../unit/models/updates/device-scene.ts";

export interface UpdateShelfHarness extends AsyncDisposable {
  /** The same store, as the learner's process and a device's have it open. */
  open(): Promise<Store>;
}

/** @param describeAdapter `describe`, or one that skips where the adapter cannot run */
export function describeUpdateShelfContract(
  name: string,
  factory: () => Promise<UpdateShelfHarness>,
  describeAdapter: typeof describe | typeof describe.skip = describe,
): void {
  const scene = async (work: (shelf: UpdateShelf, there: UpdateShelf, store: Store) => Promise<void>) => {
    await using harness = await factory();
    const store = await harness.open();
    await work(await openUpdateShelf(store, MODEL), await openUpdateShelf(await harness.open(), MODEL), store);
  };
  const blobNames = async (store: Store): Promise<string[]> =>
    (await (await store.blobs("kn-updates")).list()).map((each) => each.name.split(".").slice(0, 3).join("."));

  describeAdapter(name, () => {
    it("is empty at first", () =>
      scene(async (shelf) => {
        expect(await shelf.newest()).toBeUndefined();
        expect(await shelf.get(1)).toBeUndefined();
        expect(await shelf.full()).toBeUndefined();
      }));

    it("put: what one process puts, another one gets, byte for byte", () =>
      scene(async (shelf, there) => {
        const trainer = trainerOf();
        const first = anchorOf(trainer);
        const second = trainer.promote("masked", 2);
        for (const each of [first, second]) await shelf.put(each);
        expect(await there.newest()).toEqual({ ...second.result, full: 1 });
        expect(await bytesOf(there.get(1))).toEqual(Buffer.from(first.bytes));
        expect(await bytesOf(there.get(2))).toEqual(Buffer.from(second.bytes));
        expect((await there.full())?.number).toBe(1);
        expect(await bytesOf(there.get(1, "full"))).toEqual(Buffer.from(first.bytes));
      }));

    it("put: an anchor lies beside the partial update of its number", () =>
      scene(async (shelf) => {
        const trainer = trainerOf();
        await shelf.put(anchorOf(trainer));
        const partial = trainer.promote("masked", 2);
        await shelf.put(partial);
        const anchor = anchorOf(trainer);
        await shelf.put(anchor);
        expect(await shelf.newest()).toEqual({ ...partial.result, full: 2 });
        expect(await bytesOf(shelf.get(2))).toEqual(Buffer.from(partial.bytes));
        expect(await bytesOf(shelf.get(2, "full"))).toEqual(Buffer.from(anchor.bytes));
        expect((await shelf.full())?.number).toBe(2);
        expect(await bytesOf(shelf.get(2, "full"))).toEqual(Buffer.from(anchor.bytes));
        expect((await shelf.list()).map(({ number, kind }) => `${number} ${kind}`)).toEqual([
          ...["1 full", "2 full", "2 partial"],
        ]);
      }));

    it("put: repeated, it changes nothing, and restores a blob that was lost", () =>
      scene(async (shelf, there, store) => {
        const anchor = anchorOf(trainerOf());
        await shelf.put(anchor);
        const blobs = await store.blobs("kn-updates");
        for (const { name: blob } of await blobs.list()) await blobs.delete(blob);
        await (await store.kv("kn-updates")).delete(`${MODEL}.newest`); // as if it was cut off before
        expect(await there.full()).toBeUndefined();
        await shelf.put(anchor);
        expect(await there.newest()).toEqual({ ...anchor.result, full: 1 });
        expect((await there.full())?.number).toBe(1);
        expect(await bytesOf(there.get(1, "full"))).toEqual(Buffer.from(anchor.bytes));
      }));

    it("put rejects with KN_FENCED other bytes or weights under a number, and a number that is passed", () =>
      scene(async (shelf, there) => {
        const [trainer, other] = [trainerOf(), trainerOf()];
        await shelf.put(anchorOf(trainer));
        const second = trainer.promote("masked", 2);
        await shelf.put(second);
        await expect(there.put(other.promote("masked", 3))).rejects.toMatchObject({ code: "KN_FENCED" });
        await expect(there.put(anchorOf(other))).rejects.toMatchObject({ code: "KN_FENCED" });
        const third = trainer.promote("masked", 4);
        const fourth = trainer.promote("masked", 5);
        await shelf.put(fourth);
        await expect(there.put(third)).rejects.toMatchObject({ code: "KN_FENCED" });
        expect(await bytesOf(there.get(2))).toEqual(Buffer.from(second.bytes));
        expect(await there.newest()).toEqual({ ...fourth.result, full: 1 });
      }));

    it("put keeps the newest two full updates, and the partial ones since the older of them", () =>
      scene(async (shelf, _there, store) => {
        const trainer = trainerOf();
        for (let seed = 1; seed <= 3; seed += 1) {
          await shelf.put(anchorOf(trainer));
          await shelf.put(trainer.promote("masked", 2 * seed));
          await shelf.put(trainer.promote("masked", 2 * seed + 1));
        }
        expect((await blobNames(store)).sort()).toEqual(
          ["3.full", "4.partial", "5.full", "5.partial", "6.partial", "7.partial"].map((each) => `${MODEL}.${each}`),
        );
        expect(await shelf.get(3)).toBeDefined();
        expect(await shelf.get(2)).toBeUndefined();
        expect((await shelf.full())?.number).toBe(5);
      }));

    it("put removes what a put that was cut off has left", () =>
      scene(async (shelf, _there, store) => {
        const blobs = await store.blobs("kn-updates");
        await blobs.put(`${MODEL}.1.partial.${"0".repeat(64)}`, Uint8Array.of(1));
        await blobs.put(`${MODEL}-2.1.partial.${"0".repeat(64)}`, Uint8Array.of(1));
        const trainer = trainerOf();
        trainer.promote("masked", 2);
        await shelf.put(anchorOf(trainer));
        expect((await blobNames(store)).sort()).toEqual([`${MODEL}-2.1.partial`, `${MODEL}.2.full`]);
      }));

    it("clearShelf removes updates, offer and request of one model, and keeps its newest number", () =>
      scene(async (shelf, there, store) => {
        expect(await storedShelves(store)).toEqual([]);
        const trainer = trainerOf();
        const first = anchorOf(trainer);
        await shelf.put(first);
        await shelf.offer(trainer.promote("masked", 2));
        await shelf.ask({ model: MODEL, newest: 9 });
        const other = await openUpdateShelf(store, `${MODEL}-2`);
        await (await store.blobs("kn-updates")).put(`${MODEL}-2.1.full.${"0".repeat(64)}`, Uint8Array.of(1));
        expect((await storedShelves(store)).map(({ model, records, blobs }) => [model, records, blobs.length])).toEqual(
          [
            [MODEL, [`${MODEL}.asked`, `${MODEL}.shelf`], 2],
            [`${MODEL}-2`, [], 1],
          ],
        );
        for (let times = 0; times < 2; times += 1) await clearShelf(store, MODEL);
        expect((await storedShelves(store)).map(({ model }) => model)).toEqual([`${MODEL}-2`]);
        expect(await there.list()).toEqual([]);
        expect(await there.full()).toBeUndefined();
        expect(await there.newest()).toEqual({ ...first.result, full: 0 });
        expect(await other.newest()).toBeUndefined();
        const second = anchorOf(trainer);
        await shelf.put(second); // a later learner, above it
        expect(await there.newest()).toEqual({ ...second.result, full: 2 });
        expect((await there.full())?.number).toBe(2);
      }));

    it("changes gives the newest number at once and after each put", () =>
      scene(async (shelf, there) => {
        const trainer = trainerOf();
        const ended = new AbortController();
        const seen: (ShelfHead | undefined)[] = [];
        for await (const newest of there.changes(ended.signal)) {
          seen.push(newest);
          if (seen.length === 1) await shelf.put(anchorOf(trainer));
          if (seen.length === 2) await shelf.put(trainer.promote("masked", 2));
          if (seen.length === 3) await shelf.put(anchorOf(trainer));
          if (seen.length === 4) ended.abort();
        }
        expect(seen.map((each) => [each?.number, each?.full])).toEqual([
          [undefined, undefined],
          [1, 1],
          [2, 1],
          [2, 2],
        ]);
        for await (const newest of there.changes()) {
          expect(newest?.number).toBe(2);
          break;
        }
      }));

    it("offer: the candidate is no update yet; its promotion reuses the blob", () =>
      scene(async (shelf, there, store) => {
        const trainer = trainerOf();
        const first = anchorOf(trainer);
        await shelf.put(first);
        const second = trainer.promote("masked", 2);
        await shelf.offer(second);
        await shelf.offer(second);
        expect(await there.candidate()).toMatchObject({ ...second.result, kind: "partial" });
        expect(await there.newest()).toEqual({ ...first.result, full: 1, candidate: await there.candidate() });
        expect(await there.list()).toHaveLength(1);
        expect(await bytesOf(there.get(2))).toEqual(Buffer.from(second.bytes));
        const revision = async () =>
          (await (await store.blobs("kn-updates")).list(`${MODEL}.2.`)).map((each) => each.revision);
        const offered = await revision();
        await shelf.put(second);
        expect(await revision()).toEqual(offered);
        expect(await there.candidate()).toBeUndefined();
        expect(await there.newest()).toEqual({ ...second.result, full: 1 });
        expect(await bytesOf(there.get(2))).toEqual(Buffer.from(second.bytes));
      }));

    it("offer replaces another one, withdraw ends it; both remove its blob", () =>
      scene(async (shelf, there, store) => {
        const [trainer, other] = [trainerOf(), trainerOf()];
        await shelf.put(anchorOf(trainer));
        await shelf.offer(trainer.promote("masked", 2));
        const replacing = other.promote("masked", 3);
        await shelf.offer(replacing);
        expect(await there.candidate()).toMatchObject(replacing.result);
        expect(await bytesOf(there.get(2))).toEqual(Buffer.from(replacing.bytes));
        expect(await blobNames(store)).toHaveLength(2);
        await shelf.withdraw(3); // another number than that of the candidate
        expect(await there.candidate()).toMatchObject(replacing.result);
        for (let times = 0; times < 2; times += 1) await shelf.withdraw(2);
        expect(await there.candidate()).toBeUndefined();
        expect(await there.newest()).not.toHaveProperty("candidate");
        expect(await there.get(2)).toBeUndefined();
        expect(await blobNames(store)).toEqual([`${MODEL}.1.full`]);
      }));

    it("put of a newer number ends the offer; an anchor of the newest number does not", () =>
      scene(async (shelf, there, store) => {
        const [trainer, other] = [trainerOf(), trainerOf()];
        await shelf.put(anchorOf(trainer));
        for (const each of [trainer, other]) await shelf.put(each.promote("masked", 2));
        const offered = trainer.promote("masked", 3);
        await shelf.offer(offered);
        await shelf.put(anchorOf(other));
        expect(await there.candidate()).toMatchObject(offered.result);
        const promoted = other.promote("masked", 4);
        await shelf.put(promoted);
        expect(await there.candidate()).toBeUndefined();
        expect(await bytesOf(there.get(3))).toEqual(Buffer.from(promoted.bytes));
        expect(await blobNames(store)).toHaveLength(4);
      }));

    it("offer rejects with KN_FENCED what is not made from the newest weights", () =>
      scene(async (shelf, there) => {
        const [trainer, other] = [trainerOf(), trainerOf()];
        await expect(there.offer(anchorOf(trainer))).rejects.toMatchObject({ code: "KN_FENCED" });
        await shelf.put(anchorOf(trainer));
        const second = trainer.promote("masked", 2);
        await shelf.put(second);
        const [stale, early] = [other.promote("masked", 3), other.promote("masked", 4)];
        for (const each of [second, stale, early, anchorOf(other)]) {
          await expect(there.offer(each)).rejects.toMatchObject({ code: "KN_FENCED" });
        }
        expect(await there.candidate()).toBeUndefined();
      }));

    it("changes also gives each change of the candidate", () =>
      scene(async (shelf, there) => {
        const trainer = trainerOf();
        await shelf.put(anchorOf(trainer));
        const second = trainer.promote("masked", 2);
        const ended = new AbortController();
        const seen: (ShelfHead | undefined)[] = [];
        for await (const newest of there.changes(ended.signal)) {
          seen.push(newest);
          if (seen.length === 1) await shelf.offer(second);
          if (seen.length === 2) await shelf.withdraw(2);
          if (seen.length === 3) await shelf.offer(second);
          if (seen.length === 4) await shelf.put(second);
          if (seen.length === 5) ended.abort();
        }
        expect(seen.map((each) => [each?.number, each?.candidate?.number ?? 0])).toEqual([
          [1, 0],
          [1, 2],
          [1, 0],
          [1, 2],
          [2, 0],
        ]);
      }));

    it("reads the records that a version without candidates wrote", () =>
      scene(async (shelf, there, store) => {
        const trainer = trainerOf();
        await shelf.put(anchorOf(trainer));
        const records = await store.kv("kn-updates");
        for (const key of [`${MODEL}.shelf`, `${MODEL}.newest`]) {
          const { value, revision } = (await records.get(key)) ?? { value: new Uint8Array(), revision: 0 };
          const { offers: _offers, ...old } = JSON.parse(new TextDecoder().decode(value)) as Record<string, unknown>;
          await records.update(key, new TextEncoder().encode(JSON.stringify(old)), revision);
        }
        expect((await there.newest())?.number).toBe(1);
        const second = trainer.promote("masked", 2);
        await shelf.offer(second);
        expect((await there.newest())?.candidate).toMatchObject(second.result);
      }));

    it("asked gives what devices ask for until a full update that is new enough is put", () =>
      scene(async (shelf, there) => {
        const trainer = trainerOf();
        await shelf.put(anchorOf(trainer));
        await shelf.put(trainer.promote("masked", 2));
        const request = { model: MODEL, newest: 2, held: { number: 1, digest: "0".repeat(64) } };
        await there.ask(request);
        await there.ask({ model: MODEL, newest: 1 }); // one that has seen less is answered by the same
        const ended = new AbortController();
        for await (const asked of shelf.asked(ended.signal)) {
          expect(asked).toEqual(request);
          await shelf.put(anchorOf(trainer));
          break;
        }
        await there.ask({ model: MODEL, newest: 3 });
        for await (const asked of shelf.asked(ended.signal)) {
          expect(asked).toEqual({ model: MODEL, newest: 3 });
          ended.abort();
        }
      }));

    it("one store has the shelves of several models", () =>
      scene(async (shelf, _there, store) => {
        const other = await openUpdateShelf(store, `${MODEL}-2`);
        await shelf.put(anchorOf(trainerOf()));
        expect(await other.newest()).toBeUndefined();
      }));
  });
}

async function bytesOf(getting: Promise<Uint8Array | undefined>): Promise<Buffer | undefined> {
  const bytes = await getting;
  return bytes === undefined ? undefined : Buffer.from(bytes);
}

/** The newest weights of a trainer, whole. */
function anchorOf(trainer: ReturnType<typeof trainerOf>): BuiltUpdate {
  const content = { kind: "full" } as const;
  return buildUpdate({ model: MODEL, number: trainer.newest(), trained: trainer.weights(), content });
}
