/** Loads and single requests on a scene. */
import type { LoadImages, LoadOptions, LoadStream } from "../../serving/load/index.ts";
import { monotonicMs, percentilesOf, runLoad, startLoad, type RunningLoad } from "../../serving/load/index.ts";
import { httpWire } from "../../serving/load/http-wire.ts";
import { natsWire } from "../../serving/load/nats-wire.ts";
import type { Wire, WireAnswer } from "../../serving/load/wire.ts";

/** A server that answers inference requests. */
export interface LoadedServer {
  readonly model: string;
  readonly httpUrl: string;
  readonly natsUrl?: string | undefined;
  readonly images: LoadImages;
  /** Over HTTP. @default "binary" */
  readonly encoding?: "binary" | "json";
}

export type SceneLoad = Omit<LoadOptions, "target" | "images"> & { readonly over?: "http" | "nats" };

export function loadOptionsOf(server: LoadedServer, { over = "http", ...options }: SceneLoad): LoadOptions {
  const { model, images, encoding = "binary", httpUrl, natsUrl } = server;
  if (over === "http") return { ...options, target: { kind: "http", url: httpUrl, model, encoding }, images };
  if (natsUrl === undefined) throw new TypeError("this scene is not served on NATS");
  return { ...options, target: { kind: "nats", url: natsUrl, model }, images };
}

export function startSceneLoad(scene: LoadedServer, options: SceneLoad): RunningLoad {
  return startLoad(loadOptionsOf(scene, options));
}

/** Requests in flight that keep a server busy: some batches. */
const SATURATING = 64;

/**
 * Good answers per second with always `inFlight` requests there, over some seconds.
 * @param inFlight @default 64
 */
export async function capacityOf(
  scene: LoadedServer,
  { durationMs, inFlight = SATURATING, samples = 1 }: { durationMs: number; inFlight?: number; samples?: number },
): Promise<{ readonly perSecond: number; readonly meanBatch: number; readonly failed: number }> {
  const stream = { name: "capacity", ratePerSecond: Number.POSITIVE_INFINITY, samples, timeoutMs: 10_000 };
  const warmUpMs = durationMs / 5;
  const options = { streams: [stream], seed: 1, durationMs, warmUpMs, maxInFlight: inFlight };
  const { total } = await runLoad(loadOptionsOf(scene, options));
  return { perSecond: total.goodputPerSecond, meanBatch: total.meanBatch, failed: total.failed + total.refused };
}

/** A client that sends one request after another. */
export interface SequentialClient extends AsyncDisposable {
  ask(): Promise<WireAnswer>;
  /** Latency of one request, ms. Rejects when it is not answered with logits. */
  time(): Promise<number>;
}

export async function sequentialClient(
  scene: LoadedServer,
  over: "http" | "nats" = "http",
  samples = 1,
): Promise<SequentialClient> {
  const { target, images } = loadOptionsOf(scene, { over, streams: [], seed: 0, durationMs: 0 });
  const wireOptions = { url: target.url, model: target.model, images, maxSamples: samples };
  const { encoding = "binary" } = scene;
  const wire: Wire = over === "http" ? httpWire({ ...wireOptions, encoding }) : await natsWire(wireOptions);
  const stream: LoadStream = { name: "sequential", ratePerSecond: 0, samples, timeoutMs: 10_000 };
  const ask = (): Promise<WireAnswer> =>
    new Promise((resolve) => {
      wire.send({ stream, image: 0 }, resolve);
    });
  return {
    ask,
    async time() {
      const startedMs = monotonicMs();
      const answer = await ask();
      const endedMs = monotonicMs();
      if (answer.kind === "failure") throw new Error(`a request failed: ${answer.outcome}, ${answer.text}`);
      return endedMs - startedMs;
    },
    [Symbol.asyncDispose]: () => wire.close(),
  };
}

/** Resolves when a request is answered by `release`. @returns when, in `monotonicMs` */
export async function liveAt(client: SequentialClient, release: number, timeoutMs = 60_000): Promise<number> {
  const deadlineMs = monotonicMs() + timeoutMs;
  for (;;) {
    const answer = await client.ask();
    const nowMs = monotonicMs();
    if (answer.kind === "logits" && answer.release === release) return nowMs;
    if (nowMs > deadlineMs) throw new Error(`release ${release} was not live within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export function p50(values: readonly number[]): number {
  return percentilesOf(values).p50;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Pairs of figures of one run: the median of their ratios, which a slow minute of the machine does not move. */
export function medianRatio(pairs: readonly (readonly [treatment: number, baseline: number])[]): number {
  return p50(pairs.map(([treatment, baseline]) => treatment / baseline));
}
