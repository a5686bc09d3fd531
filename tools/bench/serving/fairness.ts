/** A client that takes five times its share beside one that takes little, with and without the other's being bulk. */
import { runLoad } from "../../serving/load/index.ts";
import { capacityOf, loadOptionsOf, medianRatio } from "./scene-load.ts";
import type { OpenServingScene } from "./serving-scene.ts";

export interface Fairness {
  readonly capacityPerSecond: number;
  readonly rounds: readonly FairnessRound[];
  /** Medians over rounds of the interactive client's p99 over that alone. */
  readonly besideBulkRatio: number;
  readonly besideEqualRatio: number;
}

export interface FairnessRound {
  /** p99 of the interactive client, ms: alone, beside the other as bulk, beside it at the same priority. */
  readonly aloneP99Ms: number;
  readonly besideBulkP99Ms: number;
  readonly besideEqualP99Ms: number;
  /** Of the interactive client, in all three. */
  readonly notAnswered: number;
  /** Good answers of the other per second, as bulk and at the same priority. */
  readonly bulkPerSecond: number;
  readonly equalPerSecond: number;
}

export interface FairnessOptions {
  readonly rounds: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  readonly seed: number;
}

export async function measureFairness(
  open: OpenServingScene,
  { rounds, durationMs, timeoutMs, seed }: FairnessOptions,
): Promise<Fairness> {
  await using scene = await open({ shape: "whole" });
  const { perSecond } = await capacityOf(scene, { durationMs });
  const interactive = { name: "interactive", ratePerSecond: perSecond / 5, timeoutMs };
  // Two clients: the share of each is half.
  const other = { name: "other", ratePerSecond: 5 * (perSecond / 2), timeoutMs };
  const measured: FairnessRound[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const options = { seed: seed + round, durationMs, warmUpMs: durationMs / 5, maxInFlight: 1_024 };
    const run = (streams: readonly (typeof interactive & { priority?: "bulk" })[]) =>
      runLoad(loadOptionsOf(scene, { ...options, streams }));
    const alone = await run([interactive]);
    const besideBulk = await run([interactive, { ...other, priority: "bulk" }]);
    const besideEqual = await run([interactive, other]);
    const all = [alone, besideBulk, besideEqual].map(({ streams }) => streams["interactive"]);
    const [aloneP99Ms = 0, besideBulkP99Ms = 0, besideEqualP99Ms = 0] = all.map((each) => each?.latencyMs.p99 ?? 0);
    measured.push({
      aloneP99Ms,
      besideBulkP99Ms,
      besideEqualP99Ms,
      notAnswered: all.reduce((sum, each) => sum + (each?.refused ?? 0) + (each?.failed ?? 0), 0),
      bulkPerSecond: besideBulk.streams["other"]?.goodputPerSecond ?? 0,
      equalPerSecond: besideEqual.streams["other"]?.goodputPerSecond ?? 0,
    });
  }
  return {
    capacityPerSecond: perSecond,
    rounds: measured,
    besideBulkRatio: medianRatio(measured.map(({ aloneP99Ms, besideBulkP99Ms }) => [besideBulkP99Ms, aloneP99Ms])),
    besideEqualRatio: medianRatio(measured.map(({ aloneP99Ms, besideEqualP99Ms }) => [besideEqualP99Ms, aloneP99Ms])),
  };
}
