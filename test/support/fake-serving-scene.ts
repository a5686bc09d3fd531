/**
 * A served model that computes nothing: logits name release, batch and sample, a batch takes a constant time and some more
 * for each sample, requests beyond a bound are refused. For the scenarios of the serving bench.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import type { ServingScene, ServingSceneOptions } from "../../tools/bench/serving/serving-scene.ts";
import { monotonicMs } from "../../tools/serving/load/index.ts";

const IMAGES = 8;
const BATCH_MS = 2;
const SAMPLE_MS = 0.25;
const MAX_BATCH = 16;
/** Between the order of a promotion and the first batch by it. */
const LOAD_MS = 15;

export interface FakeFaults {
  /** One of so many answers has another bit than it should. */
  readonly wrongEvery?: number;
  /** One of so many answers is of the release before. */
  readonly outdatedEvery?: number;
  /** Requests that wait; those beyond are refused. @default 64 */
  readonly maxQueue?: number;
}

interface Waiting {
  readonly image: number;
  readonly samples: number;
  readonly isBulk: boolean;
  readonly response: ServerResponse;
}

export async function openFakeScene(
  { maxBatch = MAX_BATCH, shape }: ServingSceneOptions,
  faults: FakeFaults = {},
): Promise<ServingScene> {
  const { maxQueue = 64 } = faults;
  let [live, previous, published, answers] = [1, 1, 1, 0];
  let queue: Waiting[] = [];
  let isComputing = false;

  const logitsOf = (release: number, batch: number, image: number): Float32Array =>
    Float32Array.from([release + image / 16, batch, -image]);

  const compute = (): void => {
    if (isComputing || queue.length === 0) return;
    isComputing = true;
    queue.sort((a, b) => Number(a.isBulk) - Number(b.isBulk));
    const batch: Waiting[] = [];
    let samples = 0;
    while (queue[0] !== undefined && (samples === 0 || samples + queue[0].samples <= maxBatch)) {
      samples += queue[0].samples;
      batch.push(...queue.splice(0, 1));
    }
    const release = live;
    setTimeout(
      () => {
        for (const each of batch) answer(each, release, samples);
        isComputing = false;
        compute();
      },
      BATCH_MS + SAMPLE_MS * samples,
    );
  };

  const answer = ({ response, image, samples }: Waiting, release: number, batch: number): void => {
    answers += 1;
    const by = faults.outdatedEvery !== undefined && answers % faults.outdatedEvery === 0 ? previous : release;
    const logits = Buffer.alloc(12 * samples);
    for (let row = 0; row < samples; row += 1) {
      logits.set(Buffer.from(logitsOf(by, batch, (image + row) % IMAGES).buffer), 12 * row);
    }
    if (faults.wrongEvery !== undefined && answers % faults.wrongEvery === 0) logits[1] = (logits[1] ?? 0) ^ 1;
    const json = JSON.stringify({
      model_name: "fake",
      model_version: String(by),
      parameters: { batch },
      outputs: [
        { name: "logits", datatype: "FP32", shape: [samples, 3], parameters: { binary_data_size: 12 * samples } },
      ],
    });
    response.writeHead(200, {
      "content-length": json.length + logits.byteLength,
      "inference-header-content-length": json.length,
    });
    response.end(Buffer.concat([Buffer.from(json), logits]));
  };

  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      const length = Number(request.headers["inference-header-content-length"]);
      const { inputs, parameters } = JSON.parse(body.toString("utf8", 0, length)) as {
        inputs: { shape: number[] }[];
        parameters: { priority: number };
      };
      if (queue.length >= maxQueue) {
        response.writeHead(429, { "retry-after": "1" }).end(JSON.stringify({ error: "busy" }));
        return;
      }
      const samples = inputs[0]?.shape[0] ?? 1;
      queue.push({ image: body.readFloatLE(length), samples, isBulk: parameters.priority === 2, response });
      compute();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    model: "fake",
    httpUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    natsUrl: undefined,
    images: { shape: [2], values: Float32Array.from({ length: 2 * IMAGES }, (_, index) => Math.floor(index / 2)) },
    slices: shape === "whole" ? 1 : 4,
    async publish() {
      published += 1;
      return published;
    },
    async promote(release) {
      setTimeout(() => {
        if (release !== live) [previous, live] = [live, release];
      }, LOAD_MS);
    },
    async rollback() {
      [previous, live] = [live, previous];
    },
    expected: (release, batch) =>
      Float32Array.from(
        { length: 3 * IMAGES },
        (_, index) => logitsOf(release, batch, Math.floor(index / 3))[index % 3] ?? 0,
      ),
    predict: (samples) => new Promise((resolve) => setTimeout(resolve, BATCH_MS + SAMPLE_MS * samples)),
    replicas: 1,
    async killReplica() {
      for (const { response } of queue) response.destroy();
      queue = [];
    },
    async restartMs() {
      const startedMs = monotonicMs();
      await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
      return monotonicMs() - startedMs;
    },
    residentBytes: async () => process.memoryUsage().rss,
    cpuSeconds: async () => process.cpuUsage().user / 1e6,
    tensors: async () => 0,
    startTraining: async () => {
      let steps = 0;
      const stepping = setInterval(() => (steps += 1), 10);
      return {
        steps: () => steps,
        async [Symbol.asyncDispose]() {
          clearInterval(stepping);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
