import { describe, expect, it } from "vitest";
import { ARTIFACT_BLOBS, type Checkpoints, createActorMemory } from "../../../../src/runtime/artifacts/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { failAlways } from "../../../support/failing-store.ts";
import { artifactScene, content, saveGeneration } from "./artifact-scene.ts";

const memoryOf = (
  checkpoints: Checkpoints,
  attempt: number,
  fence: number,
  from?: { attempt: number; generation: number },
) => createActorMemory({ actor: "block-0", attempt, fence, from }, { checkpoints, log: silentLogger });

describe("createActorMemory", () => {
  it("begins with the generation that its attempt began with, then comes back from its own newest state", async () => {
    const { checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 100);
    await checkpoints
      .statesOf("block-0", { attempt: 1, fence: 1 })
      .save({ attempt: 1, generation: 200 }, content("abandoned"));
    const from = { attempt: 1, generation: 100 };
    const memory = memoryOf(checkpoints, 2, 1, from);
    expect((await memory.restore())?.metadata.word).toBe("100");
    await memory.save(150, content("own"));
    expect((await memoryOf(checkpoints, 2, 2, from).restore())?.metadata.word).toBe("own");
  });

  it("skips a damaged state of its own", async () => {
    const { store, checkpoints } = await artifactScene();
    const memory = memoryOf(checkpoints, 1, 1);
    expect(await memory.restore()).toBeUndefined();
    await memory.save(1, content("one"));
    const { name } = await memory.save(2, content("two"));
    await (await store.blobs(ARTIFACT_BLOBS)).put(name, new TextEncoder().encode("torn"));
    expect((await memoryOf(checkpoints, 1, 2).restore())?.metadata.word).toBe("one");
  });

  it("comes back from the state that has consumed more when one generation was saved twice", async () => {
    for (const order of [
      [7, 9],
      [9, 7],
    ]) {
      const { checkpoints } = await artifactScene();
      const memory = memoryOf(checkpoints, 1, 1);
      await memory.save(5, content("before"));
      for (const consumed of order) {
        const { metadata, tensors } = content(String(consumed));
        await memory.save(6, { metadata: { ...metadata, consumed: String(consumed) }, tensors });
      }
      expect((await memoryOf(checkpoints, 1, 2).restore())?.metadata.word).toBe("9");
    }
  });

  it("a holder that was suspended saves nothing over its successor, and deletes nothing of it", async () => {
    const { store, checkpoints } = await artifactScene();
    const suspended = memoryOf(checkpoints, 1, 1);
    await suspended.restore();
    await suspended.save(10, content("old"));
    const successor = memoryOf(checkpoints, 1, 2);
    expect((await successor.restore())?.metadata.word).toBe("old");
    await successor.save(20, content("new"));
    await expect(suspended.save(20, content("late"))).rejects.toMatchObject({ code: "KN_FENCED" });
    expect((await memoryOf(checkpoints, 1, 3).restore())?.metadata.word).toBe("new");
    expect(await (await store.blobs(ARTIFACT_BLOBS)).list("run.small.block-0.")).toHaveLength(2);
  });

  it("an incarnation that starts after a newer one is refused", async () => {
    const { checkpoints } = await artifactScene();
    await memoryOf(checkpoints, 1, 5).restore();
    await expect(memoryOf(checkpoints, 1, 4).restore()).rejects.toMatchObject({ code: "KN_FENCED" });
  });

  it("keeps every state that a committed generation names, however many the actor saves after it", async () => {
    const { checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    const states = checkpoints.statesOf("block-0", { attempt: 1, fence: 1 });
    for (let generation = 2; generation <= 20; generation += 1)
      await states.save({ attempt: 1, generation }, content(String(generation)));
    expect((await checkpoints.load("block-0", { attempt: 1, generation: 1 })).metadata.word).toBe("1");
    expect((await states.list()).map(({ generation }) => generation)).toEqual([20, 19, 18, 17, 1]);
  });

  it("keeps the state that it has just written, though two others of that generation are stored and committed", async () => {
    for (const isListed of [true, false]) {
      const { checkpoints } = await artifactScene();
      await saveGeneration(checkpoints, 12);
      const at = { attempt: 1, generation: 12 };
      await checkpoints.statesOf("block-0", { attempt: 1, fence: 2 }).save(at, content("leaving"));
      // Another order by name for each word: the names of states are those of their contents.
      for (const word of ["a", "b", "c", "d"]) {
        const states = checkpoints.statesOf("block-0", { attempt: 1, fence: 3 });
        if (isListed) await states.list();
        const { digest } = await states.save(at, content(word));
        expect((await states.list()).map((state) => state.digest)).toContain(digest);
      }
    }
  });

  it("rejects while the store cannot be read, instead of beginning anew", async () => {
    const { faults, checkpoints } = await artifactScene();
    await memoryOf(checkpoints, 1, 1).save(10, content("saved"));
    const memory = memoryOf(checkpoints, 1, 2);
    faults.now = failAlways({ kind: "blobs", operation: "get" });
    await expect(memory.restore()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    faults.now = undefined;
    expect((await memory.restore())?.metadata.word).toBe("saved");
  });

  it("makes its first state by `begin` until it has one of its own", async () => {
    const { checkpoints } = await artifactScene();
    const options = {
      actor: "student",
      attempt: 2,
      from: undefined,
      begin: () => Promise.resolve(content("stitched")),
    };
    const memory = createActorMemory({ ...options, fence: 1 }, { checkpoints, log: silentLogger });
    expect((await memory.restore())?.metadata.word).toBe("stitched");
    await memory.save(1, content("own"));
    const successor = createActorMemory({ ...options, fence: 2 }, { checkpoints, log: silentLogger });
    expect((await successor.restore())?.metadata.word).toBe("own");
  });

  it("saves while the records cannot be reached, and deletes the old states once they can", async () => {
    const { store, faults, checkpoints } = await artifactScene();
    const memory = memoryOf(checkpoints, 1, 1);
    await memory.restore();
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    faults.now = failAlways({ kind: "kv" });
    for (let generation = 1; generation <= 6; generation += 1)
      await memory.save(generation, content(String(generation)));
    expect(await blobs.list("run.small.block-0.")).toHaveLength(6);
    faults.now = undefined;
    await memory.save(7, content("7"));
    expect(await blobs.list("run.small.block-0.")).toHaveLength(4);
    expect((await memoryOf(checkpoints, 1, 2).restore())?.metadata.word).toBe("7");
  });

  it("rejects a save whose state cannot be made durable; the states before it stay", async () => {
    const { faults, checkpoints } = await artifactScene();
    const memory = memoryOf(checkpoints, 1, 1);
    await memory.save(1, content("1"));
    faults.now = failAlways({ kind: "blobs", operation: "put" }, { kind: "refused", code: "KN_CHECKPOINT" });
    await expect(memory.save(2, content("2"))).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    faults.now = undefined;
    expect((await memoryOf(checkpoints, 1, 2).restore())?.metadata.word).toBe("1");
  });
});
