import { describe, expect, it } from "vitest";
import { chooseGeneration } from "../../../../src/jobs/choose-generation.ts";
import { type Checkpoints, openCheckpoints, scopeOfRun } from "../../../../src/runtime/artifacts/index.ts";
import { ARTIFACT_BLOBS } from "../../../../src/runtime/artifacts/index.ts";
import { failAlways, failTimes } from "../../../support/failing-store.ts";
import { artifactScene, content, saveGeneration } from "./artifact-scene.ts";

const at = (generation: number, attempt = 1) => ({ attempt, generation });
const wordOf = async (checkpoints: Checkpoints, generation: number): Promise<string | undefined> =>
  (await checkpoints.load("block-0", at(generation))).metadata.word;

describe("Checkpoints.commit", () => {
  it("keeps two generations of a phase, newest first, and their states only", async () => {
    const { store, checkpoints } = await artifactScene();
    for (const generation of [1, 2, 3, 4, 5]) await saveGeneration(checkpoints, generation);
    expect((await checkpoints.manifests()).map(({ generation }) => generation)).toEqual([5, 4]);
    expect(await wordOf(checkpoints, 4)).toBe("4");
    await expect(checkpoints.load("block-0", at(1))).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    // The states of generation 3 go with the next save: only a newer committed generation lets them go.
    await saveGeneration(checkpoints, 6);
    const names = (await (await store.blobs(ARTIFACT_BLOBS)).list()).map(({ name }) => name);
    expect(names.map((name) => name.split(".").slice(2, 4).join(" ")).sort()).toEqual([
      "block-0 1-4",
      "block-0 1-5",
      "block-0 1-6",
      "gradient-0 1-4",
      "gradient-0 1-5",
      "gradient-0 1-6",
    ]);
  });

  it("keeps the last generations of each phase", async () => {
    const { checkpoints } = await artifactScene();
    for (const generation of [1, 2, 3]) await saveGeneration(checkpoints, generation, { phase: "sections" });
    for (const generation of [4, 5, 6]) await saveGeneration(checkpoints, generation, { phase: "finetune" });
    const kept = (await checkpoints.manifests()).map(({ phase, generation }) => `${phase} ${generation}`);
    expect(kept).toEqual(["finetune 6", "finetune 5", "sections 3", "sections 2"]);
    expect(await wordOf(checkpoints, 2)).toBe("2");
  });

  it("refuses a generation whose states are not in the store; the one before stays in force", async () => {
    const { store, checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    const manifest = await saveGeneration(checkpoints, 2, { commits: false });
    for (const { name } of await (await store.blobs(ARTIFACT_BLOBS)).list("run.small.gradient-0."))
      if (name.includes("1-2")) await (await store.blobs(ARTIFACT_BLOBS)).delete(name);
    await expect(checkpoints.commit(manifest)).rejects.toThrow(/KN_CHECKPOINT.*absent: gradient-0/);
    expect(await chooseGeneration(checkpoints, () => undefined)).toMatchObject({ generation: 1 });
  });

  it("a coordinator whose place was taken cannot commit any more", async () => {
    const { checkpoints } = await artifactScene();
    const late = await saveGeneration(checkpoints, 1, { commits: false });
    await checkpoints.commit(await saveGeneration(checkpoints, 2, { commits: false }), 7);
    await expect(checkpoints.commit(late, 6)).rejects.toMatchObject({ code: "KN_FENCED" });
    expect((await checkpoints.manifests()).map(({ generation }) => generation)).toEqual([2]);
    // A resumed run begins a new attempt, in which fencing tokens begin anew.
    await checkpoints.commit(await saveGeneration(checkpoints, 3, { attempt: 2, commits: false }), 1);
    expect((await checkpoints.manifests()).map(({ generation }) => generation)).toEqual([3, 2]);
  });

  it("two that commit at once both stay, whatever the order", async () => {
    const { checkpoints } = await artifactScene();
    const [one, two] = [
      await saveGeneration(checkpoints, 1, { commits: false }),
      await saveGeneration(checkpoints, 2, { commits: false }),
    ];
    await Promise.all([checkpoints.commit(two, 1), checkpoints.commit(one, 1)]);
    expect((await checkpoints.manifests()).map(({ generation }) => generation)).toEqual([2, 1]);
  });
});

describe("Checkpoints.commit, repeated or cut off", () => {
  it("holds a generation once that was committed twice", async () => {
    const { checkpoints } = await artifactScene();
    const manifest = await saveGeneration(checkpoints, 1);
    await checkpoints.commit(manifest);
    expect(await checkpoints.manifests()).toEqual([manifest]);
  });

  it("rejects while the records cannot be written, and succeeds when it is repeated", async () => {
    const { faults, checkpoints } = await artifactScene();
    const manifest = await saveGeneration(checkpoints, 1, { commits: false });
    faults.now = failAlways({ kind: "kv", operation: "create" });
    await expect(checkpoints.commit(manifest)).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    // Done, though the answer was lost: the repetition changes nothing.
    faults.now = failTimes(1, { kind: "kv", operation: "create" }, { kind: "unanswered" });
    await expect(checkpoints.commit(manifest)).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    await checkpoints.commit(manifest);
    expect(await checkpoints.manifests()).toEqual([manifest]);
  });
});

describe("Checkpoints.load", () => {
  it("tells attempts apart that have a generation of the same number", async () => {
    const { checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1, { phase: "sections" });
    await saveGeneration(checkpoints, 1, { attempt: 2, phase: "finetune" });
    expect((await checkpoints.load("block-0", at(1, 1))).metadata.fence).toBe("1");
    await expect(checkpoints.load("block-0", at(1, 3))).rejects.toThrow(/KN_CHECKPOINT.*no manifest names it/);
    await expect(checkpoints.load("block-9", at(1, 1))).rejects.toThrow(/KN_CHECKPOINT.*no manifest names it/);
  });

  it("refuses content that is not what the manifest names, though the store finds it whole", async () => {
    const { store, checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    await saveGeneration(checkpoints, 2);
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    const [newest] = (await blobs.list("run.small.block-0.")).filter(({ name }) => name.includes("1-2"));
    await blobs.put(newest?.name ?? "", new TextEncoder().encode("another holder's content"));
    await expect(checkpoints.load("block-0", at(2))).rejects.toThrow(/KN_CHECKPOINT.*must have the digest/);
    const damaged: number[] = [];
    const chosen = await chooseGeneration(checkpoints, ({ generation }) => damaged.push(generation));
    expect(chosen).toMatchObject({ generation: 1 });
    expect(damaged).toEqual([2]);
  });
});

describe("chooseGeneration", () => {
  it("finds nothing in a run without checkpoints, and refuses one where all are damaged", async () => {
    const { store, checkpoints } = await artifactScene();
    expect(await chooseGeneration(checkpoints, () => undefined)).toBeUndefined();
    await saveGeneration(checkpoints, 1);
    const blobs = await store.blobs(ARTIFACT_BLOBS);
    for (const { name } of await blobs.list("run.small.gradient-0.")) await blobs.delete(name);
    await expect(chooseGeneration(checkpoints, () => undefined)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
  });

  it("passes over a generation without its manifest: a crash in the middle of a save leaves the one before", async () => {
    const { checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    await checkpoints.statesOf("block-0", { attempt: 1, fence: 1 }).save(at(2), content("2"));
    expect(await chooseGeneration(checkpoints, () => undefined)).toMatchObject({ generation: 1 });
  });
});

describe("openCheckpoints", () => {
  it("refuses a record of another version instead of beginning anew", async () => {
    const { store, checkpoints } = await artifactScene();
    await (await store.kv("kn-manifests")).put("run.small.manifests", new TextEncoder().encode('{"format":9}'));
    await expect(checkpoints.manifests()).rejects.toThrow(/KN_CHECKPOINT.*format/);
    await expect(saveGeneration(checkpoints, 1)).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
  });

  it("refuses a run in the layout of an earlier version instead of taking it for one without checkpoints", async () => {
    const { store } = await artifactScene();
    await store.blobs("checkpoints-old");
    await expect(openCheckpoints(store, scopeOfRun("old"))).rejects.toThrow(/KN_CHECKPOINT.*bucket checkpoints-old/);
    await openCheckpoints(store, scopeOfRun("new"));
  });

  it("runs of one store do not see one another", async () => {
    const { store, checkpoints } = await artifactScene();
    await saveGeneration(checkpoints, 1);
    const other = await openCheckpoints(store, scopeOfRun("small-2"));
    expect(await other.manifests()).toEqual([]);
    expect(await other.statesOf("block-0", { attempt: 1, fence: 1 }).list()).toEqual([]);
  });
});
