/**
 * Samples per second of a server with more to do than it can, against the same network computed in this process, batch after
 * batch of the size that the server made; in turns of one run.
 */
import { capacityOf, medianRatio } from "./scene-load.ts";
import type { OpenServingScene } from "./serving-scene.ts";
import { monotonicMs } from "../../serving/load/index.ts";

export interface Saturation {
  readonly rounds: readonly {
    readonly servedPerSecond: number;
    readonly meanBatch: number;
    /** In this process at that batch size. */
    readonly inProcessPerSecond: number;
    readonly notAnswered: number;
    readonly inFlight: number;
  }[];
  /** Median over rounds of served / in this process. */
  readonly ratio: number;
}

export async function measureSaturation(
  open: OpenServingScene,
  { rounds, durationMs }: { readonly rounds: number; readonly durationMs: number },
): Promise<Saturation> {
  await using scene = await open({ shape: "whole" });
  const measured: Saturation["rounds"][number][] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { perSecond, meanBatch, notAnswered, inFlight } = await capacityOf(scene, { durationMs });
    const batch = Math.max(1, Math.round(meanBatch));
    const startedMs = monotonicMs();
    let batches = 0;
    for (; monotonicMs() - startedMs < durationMs; batches += 1) await scene.predict(batch);
    const inProcessPerSecond = (batches * batch * 1_000) / (monotonicMs() - startedMs);
    measured.push({ servedPerSecond: perSecond, meanBatch, inProcessPerSecond, notAnswered, inFlight });
  }
  return {
    rounds: measured,
    ratio: medianRatio(
      measured.map(({ servedPerSecond, inProcessPerSecond }) => [servedPerSecond, inProcessPerSecond]),
    ),
  };
}
