import { describe, expect, it } from "vitest";
import { listModels } from "../../../src/models/index.ts";
import { ARTIFACT_BLOBS } from "../../../src/runtime/artifacts/index.ts";
import { openObservationLog } from "../../../src/models/observations/index.ts";
import { openUpdateShelf } from "../../../src/models/updates/index.ts";
import { failTimes } from "../../support/failing-store.ts";
import { observedInput } from "../messages/observation/observation-samples.ts";
import { trainerOf } from "./updates/device-scene.ts";
import { BY, loadAll, modelScene } from "./model-scene.ts";

async function blobsOf({ plain }: Awaited<ReturnType<typeof modelScene>>): Promise<string[]> {
  return (await (await plain.blobs(ARTIFACT_BLOBS)).list()).map(({ name }) => name);
}

describe("Model.remove", () => {
  it("deletes all releases with their parts, and leaves other models alone", async () => {
    const scene = await modelScene();
    const { model, open, publish, plain } = scene;
    await publish(1);
    await publish(2);
    const { manifest } = await publish(3);
    const other = open("other");
    await other.publish(manifest, await loadAll(model, 1));
    expect((await model.remove(BY)).toSorted()).toEqual([1, 2, 3]);
    expect(await model.releases()).toEqual([]);
    expect(await listModels(plain)).toEqual([{ model: "other", releases: 1 }]);
    expect((await blobsOf(scene)).every((name) => name.startsWith("model.other."))).toBe(true);
    expect(await loadAll(other, 1)).toHaveLength(2);
  });

  it("deletes what was observed of its inputs", async () => {
    const { model, publish, plain } = await modelScene();
    await publish(1);
    await (await openObservationLog(plain, "digits")).append(observedInput);
    await model.remove(BY);
    expect(await plain.logs("observe.")).toEqual([]);
  });

  it("deletes the updates of it on the store's shelf, and those of no other model", async () => {
    const { model, publish, plain } = await modelScene();
    await publish(1);
    const shelf = await openUpdateShelf(plain, "digits");
    await shelf.put(trainerOf().promote("full", 2));
    await (await plain.blobs("kn-updates")).put(`other.1.full.${"0".repeat(64)}`, Uint8Array.of(1));
    await model.remove(BY);
    expect(await shelf.list()).toEqual([]);
    expect((await (await plain.blobs("kn-updates")).list()).map(({ name }) => name.split(".")[0])).toEqual(["other"]);
    expect((await shelf.newest())?.number).toBe(2);
  });

  it("refuses while a release is live or pinned, and changes nothing; forced it goes, into the history", async () => {
    const { model, publish } = await modelScene();
    await publish(1);
    await publish(2, { isPinned: true });
    await expect(model.remove(BY)).rejects.toMatchObject({ code: "KN_CONFIG", value: "2" });
    await model.setPinned(2, false);
    await model.promote(1, BY);
    await expect(model.remove(BY)).rejects.toMatchObject({ code: "KN_CONFIG", value: "release 1 is" });
    expect(await model.releases()).toHaveLength(2);
    await model.setPinned(2, true);
    await model.remove({ by: "me", reason: "of no use" }, { isForced: true });
    expect(await model.releases()).toEqual([]);
    const record = await model.live();
    expect(record).toMatchObject({ change: 2, retired: [] });
    expect([record.live, record.previous, record.candidate]).toEqual([undefined, undefined, undefined]);
    expect((await model.history()).at(-1)).toMatchObject({ kind: "removed", from: 1, by: "me", reason: "of no use" });
  });

  it("refuses a model that is not there", async () => {
    const { model } = await modelScene();
    await expect(model.remove(BY)).rejects.toMatchObject({ code: "KN_CONFIG", value: "no models" });
  });

  it("uses no number again: a replica that holds the old release 2 must not answer for the new one", async () => {
    const { model, publish } = await modelScene();
    await publish(1);
    await publish(2);
    await model.remove(BY);
    expect((await publish(3)).release).toBe(3);
    await model.promote(3, BY);
    expect((await model.live()).live).toBe(3);
    await model.remove(BY, { isForced: true });
    expect((await publish(4)).release).toBe(4);
  });

  it("goes on with a removal that was cut off", async () => {
    const { model, publish, faults } = await modelScene();
    await publish(1);
    await publish(2);
    await model.promote(2, BY);
    faults.now = failTimes(1, { kind: "kv", operation: "delete" });
    await expect(model.remove(BY, { isForced: true })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    faults.now = undefined;
    await expect(model.promote(1, BY)).rejects.toMatchObject({ code: "KN_CONFIG" });
    await model.remove(BY); // nothing is live any more
    expect(await model.releases()).toEqual([]);
    expect(await model.live()).toMatchObject({ change: 2, retired: [] });
  });
});
