import { describe, expect, it } from "vitest";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { memoryStore, mirroredStore } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { failAlways, failingStore, failTimes, switchedFaults } from "../../../support/failing-store.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (found: Uint8Array | undefined): string | undefined =>
  found === undefined ? undefined : new TextDecoder().decode(found);

/** A mirrored bucket "states", its two halves as they are, and faults for each way to a half. */
async function scene() {
  const clock = simulatedClock();
  const files = new Map<string, Uint8Array>();
  const [local, shared] = [await memoryStore({ clock, content: files }), await memoryStore({ clock })];
  const [disk, link] = [switchedFaults(), switchedFaults()];
  const warnings: string[] = [];
  const store = mirroredStore({
    local: failingStore(local, disk, clock),
    shared: failingStore(shared, link, clock),
    log: { ...silentLogger, warn: (...parts: unknown[]) => void warnings.push(String(parts[1])) },
  });
  return {
    store,
    blobs: await store.blobs("states"),
    here: await local.blobs("states"),
    there: await shared.blobs("states"),
    shared,
    files,
    disk,
    link,
    warnings,
    settle: () => clock.advance(0),
  };
}

describe("mirroredStore", () => {
  it("writes a blob to both, deletes it from both, and keeps records and logs in the shared one", async () => {
    const { store, blobs, here, there, shared } = await scene();
    const info = await blobs.put("a", bytes("one"));
    expect(await there.info("a")).toEqual(info);
    expect(text(await here.get("a"))).toBe("one");
    await (await store.kv("records")).put("k", bytes("v"));
    await (await store.log("run")).append(bytes("v"));
    expect(await (await shared.kv("records")).keys()).toEqual(["k"]);
    expect(await shared.logs()).toEqual(["run"]);
    expect(await blobs.delete("a")).toBe(true);
    for (const half of [blobs, here, there]) expect(await half.list()).toEqual([]);
  });

  it("reads the shared copy where the local one is absent or damaged", async () => {
    const { blobs, there, files } = await scene();
    await there.put("theirs", bytes("from another node"));
    expect(text(await blobs.get("theirs"))).toBe("from another node");
    await blobs.put("both", bytes("whole"));
    files.set("memory/blobs/states/both", bytes("torn"));
    expect(text(await blobs.get("both"))).toBe("whole");
    expect((await blobs.list()).map(({ name }) => name)).toEqual(["both", "theirs"]);
  });

  it("put succeeds while the link is down, and the shared copy is caught up once it is back", async () => {
    const { blobs, there, link, warnings, settle } = await scene();
    link.now = failAlways();
    expect(await blobs.put("a", bytes("one"))).toMatchObject({ name: "a", sizeBytes: 3 });
    expect(await blobs.put("b", bytes("two"))).toMatchObject({ name: "b", sizeBytes: 3 });
    expect(warnings).toContain("shared copy not written; it is caught up later");
    expect(text(await blobs.get("a"))).toBe("one");
    expect(await blobs.info("a")).toMatchObject({ sizeBytes: 3 });
    expect((await blobs.list()).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(await there.list()).toEqual([]);
    link.now = undefined;
    await blobs.put("c", bytes("three"));
    await settle();
    expect((await there.list()).map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  it("put, when it catches up, does not overwrite a newer blob of another node", async () => {
    const { blobs, there, link, settle } = await scene();
    link.now = failAlways();
    await blobs.put("a", bytes("late"));
    await there.put("a", bytes("newer, of another node"));
    link.now = undefined;
    await blobs.put("b", bytes("x"));
    await settle();
    expect(text(await there.get("a"))).toBe("newer, of another node");
  });

  it("put succeeds while the disk is full, and reads no older copy from it", async () => {
    const { blobs, disk } = await scene();
    await blobs.put("a", bytes("old"));
    disk.now = failTimes(1, { operation: "put" }, { kind: "refused", code: "KN_CHECKPOINT" });
    await blobs.put("a", bytes("new"));
    expect(text(await blobs.get("a"))).toBe("new");
  });

  it("put rejects when neither has the blob", async () => {
    const { blobs, disk, link } = await scene();
    disk.now = failAlways({}, { kind: "refused", code: "KN_CHECKPOINT" });
    link.now = failAlways();
    await expect(blobs.put("b", bytes("two"))).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
  });

  it("delete succeeds while the link is down, and reports the shared copy that stays", async () => {
    const { blobs, here, there, link, warnings } = await scene();
    await blobs.put("a", bytes("one"));
    link.now = failAlways();
    expect(await blobs.delete("a")).toBe(true);
    expect(warnings).toEqual(["shared copy not deleted"]);
    link.now = undefined;
    expect(await here.list()).toEqual([]);
    expect(await there.list()).toHaveLength(1);
  });

  it("delete with a revision leaves both copies when another node has written the name again", async () => {
    const { blobs, there } = await scene();
    const { revision } = await blobs.put("a", bytes("one"));
    await there.put("a", bytes("one"));
    expect(await blobs.delete("a", { revision })).toBe(false);
    expect(text(await blobs.get("a"))).toBe("one");
    expect(await there.list()).toHaveLength(1);
  });

  it("delete with a revision rejects while the link is down, and deletes nothing", async () => {
    const { blobs, here, link } = await scene();
    const { revision } = await blobs.put("a", bytes("one"));
    link.now = failAlways();
    await expect(blobs.delete("a", { revision })).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(await here.list()).toHaveLength(1);
  });
});
