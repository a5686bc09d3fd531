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

/**
 * Requests in flight that keep a server busy: some batches at first, fewer where the server refuses so many. A client in a
 * closed loop that is refused asks again at once, and then refusals are all that a server does.
 */
const IN_FLIGHT = [256, 128, 64, 32, 16, 8, 4] as const;
const MAX_REFUSED_SHARE = 0.01;

export interface Capacity {
  /** Good answers. */
  readonly perSecond: number;
  readonly meanBatch: number;
  /** Refused or failed. */
  readonly notAnswered: number;
  readonly inFlight: number;
  /** Good answers of all that was tried, warm-up included. */
  readonly requestsAnswered: number;
}

/** Good answers per second of a server that always has some more requests, over some seconds. */
export async function capacityOf(
  scene: LoadedServer,
  { durationMs, samples = 1 }: { readonly durationMs: number; readonly samples?: number },
): Promise<Capacity> {
  const stream = { name: "capacity", ratePerSecond: Number.POSITIVE_INFINITY, samples, timeoutMs: 10_000 };
  let best: Omit<Capacity, "requestsAnswered"> | undefined;
  let requestsAnswered = 0;
  for (const inFlight of IN_FLIGHT) {
    const options = { streams: [stream], seed: 1, durationMs, warmUpMs: durationMs / 5, maxInFlight: inFlight };
    const { total } = await runLoad(loadOptionsOf(scene, options));
    const notAnswered = total.failed + total.refused;
    requestsAnswered += total.ok;
    const { goodputPerSecond: perSecond, meanBatch } = total;
    if (best === undefined || perSecond > best.perSecond) {
      best = { perSecond, meanBatch, notAnswered, inFlight };
    }
    if (notAnswered <= MAX_REFUSED_SHARE * total.requests) break;
  }
  return { perSecond: 0, meanBatch: 0, notAnswered: 0, inFlight: 0, ...best, requestsAnswered };
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

/** Often enough for a time of some ten milliseconds, seldom enough to be no load. */
const ASK_EVERY_MS = 3;

/** Resolves when a request is answered by `release`. @returns when, in `monotonicMs` */
export async function liveAt(client: SequentialClient, release: number, timeoutMs = 60_000): Promise<number> {
  const deadlineMs = monotonicMs() + timeoutMs;
  for (;;) {
    const answer = await client.ask();
    const nowMs = monotonicMs();
    if (answer.kind === "logits" && answer.release === release) return nowMs;
    if (nowMs > deadlineMs) throw new Error(`release ${release} was not live within ${timeoutMs} ms`);
    await pause(ASK_EVERY_MS);
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
