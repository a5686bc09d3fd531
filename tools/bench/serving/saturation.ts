/**
 * Samples per second of a server with more to do than it can, against the same network computed in this process, batch after
 * batch of the size that the server made; in turns of one run.
 */
import process from "node:process";
import { capacityOf, medianRatio } from "./scene-load.ts";
import type { OpenServingScene, ServingScene } from "./serving-scene.ts";
import { monotonicMs } from "../../serving/load/index.ts";

export interface Saturation {
  readonly rounds: readonly {
    readonly samplesPerRequest: number;
    /** Samples. */
    readonly servedPerSecond: number;
    readonly meanBatch: number;
    /** Processor time of the server for each sample, ms: unlike rates it does not depend on what else runs. */
    readonly servedCpuMs: number;
    readonly inProcessCpuMs: number;
    /** In this process at that batch size. */
    readonly inProcessPerSecond: number;
    readonly notAnswered: number;
    readonly inFlight: number;
  }[];
  /** Median over rounds of served / in this process, by samples in a request. */
  readonly ratios: Readonly<Record<number, number>>;
}

/** Admission is not measured here. */
const NO_REFUSAL_MS = 5_000;
/** One sample is what a request costs; 32 are a batch of the server's in one request. */
const SAMPLES_PER_REQUEST = [1, 8, 32] as const;

export async function measureSaturation(
  open: OpenServingScene,
  { rounds, durationMs }: { readonly rounds: number; readonly durationMs: number },
): Promise<Saturation> {
  await using scene = await open({ shape: "whole", targetMs: NO_REFUSAL_MS });
  const measured: Saturation["rounds"][number][] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const samples of SAMPLES_PER_REQUEST) measured.push(await measureRound(scene, samples, durationMs));
  }
  const ratioOf = (samples: number): number =>
    medianRatio(
      measured
        .filter(({ samplesPerRequest }) => samplesPerRequest === samples)
        .map(({ servedPerSecond, inProcessPerSecond }) => [servedPerSecond, inProcessPerSecond]),
    );
  return {
    rounds: measured,
    ratios: Object.fromEntries(SAMPLES_PER_REQUEST.map((samples) => [samples, ratioOf(samples)])),
  };
}

async function measureRound(
  scene: ServingScene,
  samples: number,
  durationMs: number,
): Promise<Saturation["rounds"][number]> {
  const cpuBefore = await scene.cpuSeconds();
  const capacity = await capacityOf(scene, { durationMs, samples });
  const { perSecond, meanBatch, notAnswered, inFlight, requestsAnswered } = capacity;
  const served = Math.max(1, requestsAnswered * samples);
  const servedCpuMs = (((await scene.cpuSeconds()) - cpuBefore) * 1_000) / served;
  const batch = Math.max(1, Math.round(meanBatch));
  const [startedMs, cpuStart] = [monotonicMs(), process.cpuUsage()];
  let batches = 0;
  for (; monotonicMs() - startedMs < durationMs; batches += 1) await scene.predict(batch);
  const inProcessPerSecond = (batches * batch * 1_000) / (monotonicMs() - startedMs);
  const { user, system } = process.cpuUsage(cpuStart); // microseconds
  return {
    samplesPerRequest: samples,
    servedPerSecond: perSecond * samples,
    meanBatch,
    servedCpuMs,
    inProcessCpuMs: (user + system) / 1_000 / (batches * batch),
    inProcessPerSecond,
    notAnswered,
    inFlight,
  };
}
