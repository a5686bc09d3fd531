import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { chooseGeneration } from "../../../src/jobs/choose-generation.ts";
import type { Checkpoints } from "../../../src/runtime/artifacts/index.ts";
import { artifactScene, saveGeneration } from "../runtime/artifacts/artifact-scene.ts";

/** Two generations; loading one of `broken` fails with `code`. */
async function scene(broken: readonly number[], code: "KN_CHECKPOINT" | "KN_UNAVAILABLE" = "KN_CHECKPOINT") {
  const { checkpoints } = await artifactScene();
  for (const generation of [1, 2]) await saveGeneration(checkpoints, generation);
  const failing: Checkpoints = {
    ...checkpoints,
    load: (actor, at) =>
      broken.includes(at.generation)
        ? Promise.reject(new KnowledgeNetError(code, { attempt: "load", rule: "it must be there", value: actor }))
        : checkpoints.load(actor, at),
  };
  const skipped: number[] = [];
  const choose = (phase?: string) => chooseGeneration(failing, ({ generation }) => skipped.push(generation), phase);
  return { choose, skipped };
}

describe("chooseGeneration", () => {
  it("takes the newest generation, and skips a damaged one by name", async () => {
    const whole = await scene([]);
    expect(await whole.choose()).toMatchObject({ generation: 2 });
    expect(whole.skipped).toEqual([]);
    const damaged = await scene([2]);
    expect(await damaged.choose()).toMatchObject({ generation: 1 });
    expect(damaged.skipped).toEqual([2]);
  });

  it("rejects when every generation is damaged", async () => {
    const { choose, skipped } = await scene([1, 2]);
    await expect(choose()).rejects.toMatchObject({ code: "KN_CHECKPOINT" });
    expect(skipped).toEqual([2, 1]);
  });

  it("does not take an outage of the store for damage: the newer generation is not given up", async () => {
    const { choose, skipped } = await scene([2], "KN_UNAVAILABLE");
    await expect(choose()).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(skipped).toEqual([]);
  });

  it("has none for a phase that was never saved", async () => {
    expect(await (await scene([])).choose("baseline")).toBeUndefined();
  });
});
