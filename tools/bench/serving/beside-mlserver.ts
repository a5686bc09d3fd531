/**
 * The same network behind MLServer and behind `kn serve`, side by side in one run, the same load on each in turns: idle
 * latency, throughput with always some batches waiting, and latency at a rate that both can do.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runLoad } from "../../serving/load/index.ts";
import { startMlServer } from "./mlserver/start-mlserver.ts";
import { capacityOf, type LoadedServer, loadOptionsOf, p50, sequentialClient } from "./scene-load.ts";
import type { OpenServingScene } from "./serving-scene.ts";

export interface ServerFigures {
  readonly server: string;
  /** Medians over rounds. */
  readonly idleP50Ms: number;
  readonly capacityPerSecond: number;
  readonly meanBatch: number;
  /** At the common rate. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly notAnswered: number;
}

export interface BesideMlServer {
  /** Half of the capacity of the slowest. */
  readonly commonRatePerSecond: number;
  readonly servers: readonly ServerFigures[];
  /** Largest difference of a logit from ours, for one sample: it is the same network. */
  readonly largestDifference: number;
}

export interface BesideMlServerOptions {
  readonly rounds: number;
  readonly requestsPerRound: number;
  readonly durationMs: number;
  readonly seed: number;
}

const MAX_BATCH = 32;

/** @returns undefined for a scene whose network cannot be exported */
export async function measureBesideMlServer(
  open: OpenServingScene,
  { rounds, requestsPerRound, durationMs, seed }: BesideMlServerOptions,
): Promise<BesideMlServer | undefined> {
  await using scene = await open({ shape: "whole" });
  if (scene.exportKeras === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-network-"));
  try {
    await scene.exportKeras(folder);
    await using keras = await startMlServer({ network: folder, engine: "keras", maxBatch: MAX_BATCH });
    await using onnx = await startMlServer({ network: folder, engine: "onnx", maxBatch: MAX_BATCH });
    await using single = await startMlServer({ network: folder, engine: "onnx", maxBatch: 0 });
    const { images, httpUrl, model } = scene;
    const json = "json" as const;
    const servers: Record<string, LoadedServer> = {
      "kn serve, binary": { images, httpUrl, model },
      "kn serve, JSON": { images, httpUrl, model, encoding: json },
      "MLServer, TensorFlow, JSON": { images, httpUrl: keras.url, model: keras.model, encoding: json },
      "MLServer, ONNX Runtime, JSON": { images, httpUrl: onnx.url, model: onnx.model, encoding: json },
      "MLServer, ONNX Runtime, JSON, not batched": { images, httpUrl: single.url, model: single.model, encoding: json },
    };
    const measured = new Map(
      Object.keys(servers).map((name) => [
        name,
        {
          idle: [] as number[],
          capacity: [] as number[],
          batch: [] as number[],
          p50: [] as number[],
          p99: [] as number[],
        },
      ]),
    );
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, server] of Object.entries(servers)) {
        await using client = await sequentialClient(server);
        const times: number[] = [];
        for (let request = 0; request < requestsPerRound; request += 1) times.push(await client.time());
        measured.get(name)?.idle.push(p50(times));
        const { perSecond, meanBatch } = await capacityOf(server, { durationMs });
        measured.get(name)?.capacity.push(perSecond);
        measured.get(name)?.batch.push(meanBatch);
      }
    }
    const capacities = [...measured.values()].map(({ capacity }) => p50(capacity));
    const commonRatePerSecond = Math.min(...capacities) / 2;
    const notAnswered = new Map<string, number>();
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, server] of Object.entries(servers)) {
        const stream = { name: "common", ratePerSecond: commonRatePerSecond, timeoutMs: 5_000 };
        const options = { streams: [stream], seed: seed + round, durationMs, warmUpMs: durationMs / 5 };
        const { total } = await runLoad(loadOptionsOf(server, options));
        measured.get(name)?.p50.push(total.latencyMs.p50);
        measured.get(name)?.p99.push(total.latencyMs.p99);
        notAnswered.set(name, (notAnswered.get(name) ?? 0) + total.failed + total.refused);
      }
    }
    return {
      commonRatePerSecond,
      servers: [...measured].map(([server, { idle, capacity, batch, p50: halves, p99 }]) => ({
        server,
        idleP50Ms: p50(idle),
        capacityPerSecond: p50(capacity),
        meanBatch: p50(batch),
        p50Ms: p50(halves),
        p99Ms: p50(p99),
        notAnswered: notAnswered.get(server) ?? 0,
      })),
      largestDifference: await largestDifference(Object.values(servers)),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of the logits of one sample, between the first server and any other. */
async function largestDifference(servers: readonly LoadedServer[]): Promise<number> {
  const answers: Float32Array[] = [];
  for (const server of servers) {
    await using client = await sequentialClient(server);
    const answer = await client.ask();
    if (answer.kind === "failure") throw new Error(`a request failed: ${answer.outcome}, ${answer.text}`);
    answers.push(answer.logits);
  }
  const [ours = new Float32Array(0), ...others] = answers;
  const differences = others.flatMap((theirs) =>
    [...ours].map((logit, at) => Math.abs(logit - (theirs[at] ?? Number.NaN))),
  );
  return Math.max(...differences);
}
