/**
 * The scenarios of the serving bench on a fake server, each for a moment: what they count, not how fast it is. The load
 * generator is a process of its own.
 */
import { describe, expect, it } from "vitest";
import { measureBesideTraining } from "../../tools/bench/serving/beside-training.ts";
import { measureFairness } from "../../tools/bench/serving/fairness.ts";
import { measureGeneratorCeiling } from "../../tools/bench/serving/generator-ceiling.ts";
import { measureOverhead } from "../../tools/bench/serving/overhead.ts";
import { measureOverload } from "../../tools/bench/serving/overload.ts";
import { measureColdStart, measurePublication } from "../../tools/bench/serving/publication.ts";
import { measureSaturation } from "../../tools/bench/serving/saturation.ts";
import { measureSwaps, type SwapsOptions } from "../../tools/bench/serving/swaps.ts";
import type { OpenServingScene } from "../../tools/bench/serving/serving-scene.ts";
import { markdownRows } from "../../tools/bench/serving/tables.ts";
import { openFakeScene } from "../support/fake-serving-scene.ts";

const SWAPS: SwapsOptions = {
  shape: "whole",
  swaps: 10,
  intervalMs: 120,
  load: { ratePerSecond: 100 },
  releases: 3,
  seed: 1,
  write: () => undefined,
};

describe("measureSwaps", () => {
  it("counts swaps, requests and answers, each answer compared", async () => {
    const load = { share: 0.2, capacityMs: 500 };
    const result = await measureSwaps(openFakeScene, { ...SWAPS, load });
    expect(result.outcomes).toEqual({ ok: result.requests });
    expect(result).toMatchObject({ swaps: 10, notAnswered: 0, kills: 0 });
    expect(result.compared).toBeGreaterThan(8);
    expect(result).toMatchObject({ unseen: 0, outdated: 0 });
    expect(result.residentMiB).toHaveLength(11);
    expect(markdownRows(result).join("\n")).toContain("| swaps | 10 |");
  });

  it("finds the wrong bit, the outdated answer and what a kill cost", async () => {
    const wrong = await measureSwaps((options) => openFakeScene(options, { wrongEvery: 50 }), SWAPS);
    expect(wrong.outcomes["wrong-bits"]).toBeGreaterThan(0);
    expect(wrong.notAnswered).toBe(wrong.outcomes["wrong-bits"]);
    const outdated = await measureSwaps((options) => openFakeScene(options, { outdatedEvery: 20 }), SWAPS);
    expect(outdated.notAnswered).toBe(0);
    expect(outdated.outdated).toBeGreaterThan(0);
    const killed = await measureSwaps(openFakeScene, { ...SWAPS, shape: "blocks", killEvery: 4 });
    expect(killed.kills).toBe(2);
    expect(killed.notAnsweredNearKills).toBe(killed.notAnswered);
  });
});

describe("the scenarios of the serving bench", () => {
  it("measureOverhead compares the ways to one sample", async () => {
    const overhead = await measureOverhead(openFakeScene, { rounds: 2, requestsPerRound: 5 });
    expect(overhead).toMatchObject({ requests: 10, natsMs: undefined });
    expect(overhead.inProcessMs).toBeGreaterThan(0);
  });

  it("measureSaturation compares at the batch size that the server made", async () => {
    const open: OpenServingScene = (options) => openFakeScene(options, { maxQueue: Number.POSITIVE_INFINITY });
    const { rounds } = await measureSaturation(open, { rounds: 1, durationMs: 400 });
    expect(rounds[0]).toMatchObject({ samplesPerRequest: 1, notAnswered: 0, inFlight: 256 });
    expect(rounds[0]?.meanBatch).toBeGreaterThan(1);
  });

  it("measureOverload counts refusals apart from failures", async () => {
    const overload = await measureOverload(openFakeScene, {
      phaseMs: 1_000,
      goalMs: 20_000,
      timeoutMs: 1_000,
      seed: 1,
    });
    expect(overload.refused).toBeGreaterThan(0);
    expect(overload.failed).toBe(0);
    expect(overload.goodputRatio).toBeGreaterThan(0);
  });

  it("measureFairness measures alone, beside bulk and beside an equal", async () => {
    const { rounds } = await measureFairness(openFakeScene, { rounds: 1, durationMs: 500, timeoutMs: 1_000, seed: 1 });
    expect(rounds).toHaveLength(1);
    expect(rounds[0]?.bulkPerSecond).toBeGreaterThan(0);
  });

  it("measurePublication and measureColdStart wait for the first answer", async () => {
    const { publicationMs, rollbackMs } = await measurePublication(openFakeScene, { rounds: 2, shape: "whole" });
    expect(publicationMs).toMatchObject({ count: 2 });
    expect(rollbackMs).toMatchObject({ count: 2 });
    expect((await measureColdStart(openFakeScene, { rounds: 1 })).firstAnswerMs.count).toBe(1);
  });

  it("measureBesideTraining counts steps beside requests", async () => {
    const options = { rounds: 1, durationMs: 300, loadShare: 0.3, seed: 1 };
    const result = await measureBesideTraining(openFakeScene, options);
    expect(result?.rounds[0]?.governed.trainingPerSecond).toBeGreaterThan(0);
  });

  it("measureGeneratorCeiling is checked by a server that does nothing", async () => {
    const [ceiling] = await measureGeneratorCeiling([200], 500);
    expect(ceiling?.answeredPerSecond).toBeGreaterThan(0);
  });
});
