/**
 * One sample at an idle server: in this process, over HTTP, over NATS, in turns of one run. And what batching costs where there
 * is nothing to batch, and what a hop of a pipeline costs.
 */
import { p50, pause, sequentialClient } from "./scene-load.ts";
import type { OpenServingScene, ServingScene } from "./serving-scene.ts";
import { monotonicMs } from "../../serving/load/index.ts";

export interface Overhead {
  readonly requests: number;
  /** Medians, ms. */
  readonly inProcessMs: number;
  /** In this process after a pause, as a server's compute thread has one between two requests: its caches are cold. */
  readonly pacedMs: number;
  readonly httpMs: number;
  readonly natsMs: number | undefined;
  /** Medians over rounds of the difference within a round, ms. */
  readonly httpOverMs: number;
  readonly httpOverPacedMs: number;
  readonly natsOverMs: number | undefined;
  readonly batchingOverMs: number;
  /** Of a pipeline over NATS, against the same network whole over NATS; for one hop more. */
  readonly hopMs: number | undefined;
}

export interface OverheadOptions {
  readonly rounds: number;
  readonly requestsPerRound: number;
}

export async function measureOverhead(
  open: OpenServingScene,
  { rounds, requestsPerRound }: OverheadOptions,
): Promise<Overhead> {
  await using whole = await open({ shape: "whole" });
  await using unbatched = await open({ shape: "whole", maxBatch: 1 });
  await using onNats = await open({ shape: "whole", nats: true });
  await using blocks = await open({ shape: "blocks" });
  await using http = await sequentialClient(whole);
  await using unbatchedHttp = await sequentialClient(unbatched);
  await using blocksHttp = await sequentialClient(blocks);
  await using nats = onNats.natsUrl === undefined ? undefined : await sequentialClient(onNats, "nats");
  await using natsHttp = await sequentialClient(onNats);
  const ways: Record<string, (() => Promise<number>) | undefined> = {
    inProcess: () => timed(whole),
    async paced() {
      await pause(PAUSE_MS);
      return timed(whole);
    },
    http: http.time,
    nats: nats?.time,
    unbatched: unbatchedHttp.time,
    httpOnNats: natsHttp.time,
    blocks: blocksHttp.time,
  };
  const medians: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, once] of Object.entries(ways)) {
      if (once === undefined) continue;
      const times: number[] = [];
      for (let request = 0; request < requestsPerRound; request += 1) times.push(await once());
      if (round >= 0) (medians[name] ??= []).push(p50(times)); // round -1 warms up
    }
  }
  const over = (name: string, base: string): number | undefined => {
    const [values, bases] = [medians[name], medians[base]];
    if (values === undefined || bases === undefined) return undefined;
    return p50(values.map((value, round) => value - (bases[round] ?? 0)));
  };
  // Both over NATS: two messages when whole, n + 1 as a pipeline of n.
  const hops = over("blocks", "httpOnNats");
  return {
    requests: rounds * requestsPerRound,
    inProcessMs: p50(medians["inProcess"] ?? []),
    pacedMs: p50(medians["paced"] ?? []),
    httpMs: p50(medians["http"] ?? []),
    natsMs: medians["nats"] === undefined ? undefined : p50(medians["nats"]),
    httpOverMs: over("http", "inProcess") ?? 0,
    httpOverPacedMs: over("http", "paced") ?? 0,
    natsOverMs: over("nats", "inProcess"),
    batchingOverMs: over("http", "unbatched") ?? 0,
    hopMs: hops === undefined || blocks.slices < 2 ? undefined : hops / (blocks.slices - 1),
  };
}

/** Between two requests of one client a server's compute thread sleeps for about as long. */
const PAUSE_MS = 1;

async function timed(scene: ServingScene): Promise<number> {
  const startedMs = monotonicMs();
  await scene.predict(1);
  return monotonicMs() - startedMs;
}
