/**
 * `npm run bench -- serving [FOLDER] [--only swaps,overload] [--quick]`: the figures of docs/results/serving.md. One JSON file
 * for each scenario and a table on stdout. Nothing is asserted: machines differ, ratios are of one run.
 */
import { mkdir } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isKnowledgeNetError } from "../../../src/errors/index.ts";
import { writeJson } from "../../../src/jobs/run-folder.ts";
import { measureBesideMlServer } from "./beside-mlserver.ts";
import { measureBesideTraining } from "./beside-training.ts";
import { measureFairness } from "./fairness.ts";
import { measureGeneratorCeiling } from "./generator-ceiling.ts";
import { measureOverhead } from "./overhead.ts";
import { measureOverload } from "./overload.ts";
import { measureColdStart, measurePublication } from "./publication.ts";
import { measureSaturation } from "./saturation.ts";
import type { OpenServingScene } from "./serving-scene.ts";
import { measureSwaps } from "./swaps.ts";
import { markdownRows } from "./tables.ts";

/** Sizes of a scenario: those of the published figures, and those of a look in passing. */
export interface ServingSizes {
  readonly rounds: number;
  readonly requestsPerRound: number;
  readonly durationMs: number;
  readonly swaps: number;
  readonly pipelineSwaps: number;
  readonly intervalMs: number;
  readonly publications: number;
}

export const FULL_SIZES: ServingSizes = {
  rounds: 5,
  requestsPerRound: 400,
  durationMs: 10_000,
  swaps: 1_000,
  pipelineSwaps: 1_000,
  intervalMs: 450,
  publications: 40,
};
export const QUICK_SIZES: ServingSizes = {
  rounds: 2,
  requestsPerRound: 50,
  durationMs: 2_000,
  swaps: 20,
  pipelineSwaps: 20,
  intervalMs: 450,
  publications: 4,
};

/** Latency that admission keeps under overload, and the deadline of each request, ms. */
const GOAL_MS = 100;
const DEADLINE_MS = 1_000;
/** Between two kills of a replica. */
const KILL_EVERY_SWAPS = 50;
/** Of the measured capacity. */
const SWAP_LOAD = 0.4;
/** Every request counts: none is refused because a machine that the load shares was held up for a moment, ms. */
const SWAP_TARGET_MS = 1_000;
const TRAINING_LOAD = 0.3;
const SEED = 1;

type Scenario = (open: OpenServingScene, sizes: ServingSizes, write: (line: string) => void) => Promise<unknown>;

export const SCENARIOS = {
  ceiling: (_, { durationMs }) => measureGeneratorCeiling([1_000, 3_000, 6_000, 10_000], durationMs / 2),
  overhead: (open, sizes) => measureOverhead(open, sizes),
  saturation: (open, { rounds, durationMs }) => measureSaturation(open, { rounds, durationMs }),
  swaps: (open, { swaps, intervalMs, durationMs: capacityMs }, write) =>
    measureSwaps(open, {
      shape: "whole",
      targetMs: SWAP_TARGET_MS,
      swaps,
      intervalMs,
      load: { share: SWAP_LOAD, capacityMs },
      releases: 8,
      seed: SEED,
      write,
    }),
  pipeline: (open, { pipelineSwaps: swaps, intervalMs, durationMs: capacityMs }, write) =>
    measureSwaps(open, {
      shape: "blocks",
      targetMs: SWAP_TARGET_MS,
      replicas: 2, // of each block: one answers while the other comes back
      swaps,
      intervalMs,
      load: { share: SWAP_LOAD, capacityMs },
      releases: 8,
      killEvery: Math.min(KILL_EVERY_SWAPS, Math.ceil(swaps / 2)),
      seed: SEED,
      write,
    }),
  overload: (open, { durationMs }) =>
    measureOverload(open, { phaseMs: durationMs, goalMs: GOAL_MS, timeoutMs: DEADLINE_MS, seed: SEED }),
  fairness: (open, { rounds, durationMs }) =>
    measureFairness(open, { rounds, durationMs, timeoutMs: 1_000, seed: SEED }),
  publication: async (open, { publications: rounds }) => ({
    whole: await measurePublication(open, { rounds, shape: "whole" }),
    blocks: await measurePublication(open, { rounds, shape: "blocks" }),
  }),
  "cold-start": (open, { rounds }) => measureColdStart(open, { rounds: 2 * rounds }),
  mlserver: (open, sizes) => measureBesideMlServer(open, { ...sizes, durationMs: sizes.durationMs / 2, seed: SEED }),
  training: (open, { rounds, durationMs }) =>
    measureBesideTraining(open, { rounds, durationMs: 2 * durationMs, loadShare: TRAINING_LOAD, seed: SEED }),
} as const satisfies Record<string, Scenario>;
export type ScenarioName = keyof typeof SCENARIOS;

export interface BenchServingOptions {
  readonly folder: string;
  readonly only: readonly ScenarioName[];
  readonly sizes: ServingSizes;
  readonly write: (line: string) => void;
}

export async function benchServing(
  open: OpenServingScene,
  { folder, only, sizes, write }: BenchServingOptions,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of only) {
    const scenario: Scenario = SCENARIOS[name];
    write(`\n${name}`);
    const loadBefore = loadavg()[0];
    const result = await scenario(open, sizes, write).catch((error: unknown) => {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
      write(error.message);
    });
    if (result === undefined) {
      write("left out");
      continue;
    }
    const path = join(folder, `${name}.json`);
    await writeJson(path, {
      machine: { ...describeMachine(), loadBefore },
      measuredAt: new Date().toISOString(),
      result,
    });
    for (const row of markdownRows(result)) write(row);
    write(`written to ${path}`);
  }
}

function describeMachine() {
  return { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem(), node: process.version };
}
