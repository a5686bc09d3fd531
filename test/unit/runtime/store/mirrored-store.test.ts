import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/runtime/clock/index.ts";
import { fileStore, mirroredStore } from "../../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (found: Uint8Array | undefined): string | undefined =>
  found === undefined ? undefined : new TextDecoder().decode(found);

async function scene() {
  const folder = await temporaryFolder();
  const clock = systemClock();
  const local = await fileStore({ directory: join(folder.path, "local"), clock });
  const shared = await fileStore({ directory: join(folder.path, "shared"), clock });
  const store = mirroredStore({ local, shared, log: silentLogger });
  return {
    store,
    local,
    shared,
    localFile: (name: string) => join(folder.path, "local", "blobs", "states", name),
    async [Symbol.asyncDispose]() {
      await local.close();
      await shared.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("mirroredStore", () => {
  it("writes a blob to both, deletes it from both, and keeps records in the shared one", async () => {
    await using here = await scene();
    const blobs = await here.store.blobs("states");
    const { name, digest, sizeBytes } = await blobs.put("a", bytes("one")); // each store has revisions of its own
    for (const store of [here.local, here.shared]) {
      expect(await (await store.blobs("states")).info("a")).toMatchObject({ name, digest, sizeBytes });
    }
    await (await here.store.kv("records")).put("k", bytes("v"));
    expect(await (await here.shared.kv("records")).keys()).toEqual(["k"]);
    await blobs.delete("a");
    expect(await blobs.list()).toEqual([]);
    expect(await (await here.shared.blobs("states")).list()).toEqual([]);
  });

  it("reads from the shared one what is not here, or is damaged here", async () => {
    await using here = await scene();
    const blobs = await here.store.blobs("states");
    await (await here.shared.blobs("states")).put("theirs", bytes("from another node"));
    expect(text(await blobs.get("theirs"))).toBe("from another node");
    await blobs.put("both", bytes("whole"));
    await writeFile(here.localFile("both"), "torn");
    expect(text(await blobs.get("both"))).toBe("whole");
    expect((await blobs.list()).map(({ name }) => name)).toEqual(["both", "theirs"]);
  });

  it("counts a blob as written when one of the two has it, and says so when neither has", async () => {
    await using here = await scene();
    const blobs = await here.store.blobs("states");
    await here.shared.close(); // the link is down
    expect(await blobs.put("a", bytes("one"))).toMatchObject({ name: "a", sizeBytes: 3 });
    expect(text(await blobs.get("a"))).toBe("one");
    expect((await blobs.list()).map(({ name }) => name)).toEqual(["a"]);
    await here.local.close();
    await expect(blobs.put("b", bytes("two"))).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
  });
});
