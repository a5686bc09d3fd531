import { describe, expect, it } from "vitest";
import { createCandidateUpdates } from "../../../../src/actors/observer/candidate-updates.ts";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { FACTS, modelScene, weights } from "../../models/model-scene.ts";

async function updatesScene() {
  const { model, clock, publish } = await modelScene();
  const ending = new AbortController();
  const asked: number[] = [];
  let failure: Error | undefined;
  const watched = {
    release(release: number) {
      asked.push(release);
      return failure === undefined ? model.release(release) : Promise.reject(failure);
    },
  };
  return {
    ...{ clock, publish, ending, asked },
    updates: createCandidateUpdates({ model: watched, clock, log: silentLogger }, ending.signal),
    fail(next?: Error): void {
      failure = next;
    },
    async updateRelease(kind: string, generation: number): Promise<number> {
      return (await model.publish({ ...FACTS, origin: { ...FACTS.origin, kind, generation } }, weights(1))).release;
    },
  };
}

describe("createCandidateUpdates", () => {
  it("reads a release once, and knows its update from then on", async () => {
    const { updates, updateRelease, clock, asked } = await updatesScene();
    const release = await updateRelease("continuous", 12);
    expect([updates.updateOf(release), updates.updateOf(release)]).toEqual([undefined, undefined]);
    await clock.advance(0);
    expect([updates.updateOf(release), updates.updateOf(release)]).toEqual([12, 12]);
    expect(asked).toEqual([release]);
  });

  it("knows no update of another origin, of number 0, or of a release that is not there, and asks once", async () => {
    const { updates, updateRelease, clock, asked } = await updatesScene();
    const releases = [await updateRelease("training", 12), await updateRelease("continuous", 0), 99];
    for (let time = 0; time < 3; time += 1) {
      expect(releases.map(updates.updateOf)).toEqual([undefined, undefined, undefined]);
      await clock.advance(1_000);
    }
    expect(asked).toEqual(releases);
  });

  it("asks again while the store is away, until the observer ends", async () => {
    const { updates, updateRelease, clock, asked, fail, ending } = await updatesScene();
    const release = await updateRelease("continuous", 12);
    fail(new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "read a release", rule: "the store must answer" }));
    updates.updateOf(release);
    await clock.advance(2_000);
    expect(asked.length).toBeGreaterThan(1);
    fail();
    await clock.advance(1_000);
    expect(updates.updateOf(release)).toBe(12);
    fail(new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "read a release", rule: "the store must answer" }));
    updates.updateOf(release + 1);
    await clock.advance(0);
    ending.abort();
    const before = asked.length;
    await clock.advance(5_000);
    expect(asked).toHaveLength(before);
  });
});
