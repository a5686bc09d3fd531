/** Twice the capacity for some seconds: what is answered, how soon the rest is refused, and how soon all is as before. */
import { monotonicMs, OUTCOMES, percentilesOf, reportOf } from "../../serving/load/index.ts";
import { capacityOf, pause, startSceneLoad } from "./scene-load.ts";
import type { OpenServingScene } from "./serving-scene.ts";

export interface Overload {
  readonly capacityPerSecond: number;
  /** Good answers per second under overload, over the capacity. */
  readonly goodputRatio: number;
  readonly goalMs: number;
  readonly acceptedP99Ms: number;
  readonly refusalP50Ms: number;
  readonly refusalP99Ms: number;
  readonly refused: number;
  /** Neither answered nor refused. */
  readonly failed: number;
  readonly residentMiB: { readonly before: number; readonly most: number; readonly after: number };
  /** From the end of the overload until the latency of a quarter of a second was normal again, ms. */
  readonly recoveryMs: number | undefined;
  readonly texts: Readonly<Record<string, number>>;
}

export interface OverloadOptions {
  readonly phaseMs: number;
  /** Latency that admission keeps. */
  readonly goalMs: number;
  /** Of each request. */
  readonly timeoutMs: number;
  readonly seed: number;
}

const MIB = 2 ** 20;
const WINDOW_MS = 250;
const LOOK_MS = 200;

export async function measureOverload(
  open: OpenServingScene,
  { phaseMs, goalMs, timeoutMs, seed }: OverloadOptions,
): Promise<Overload> {
  await using scene = await open({ shape: "whole", targetMs: goalMs });
  const { perSecond } = await capacityOf(scene, { durationMs: phaseMs });
  const normal = { name: "normal", ratePerSecond: perSecond / 2, timeoutMs };
  await using load = startSceneLoad(scene, {
    streams: [
      normal,
      { ...normal, name: "surge", ratePerSecond: 1.5 * perSecond, fromMs: phaseMs, untilMs: 2 * phaseMs },
    ],
    seed,
    durationMs: 3 * phaseMs,
    maxInFlight: 1_024,
  });
  const resident: { readonly atMs: number; readonly bytes: number }[] = [];
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      resident.push({ atMs: monotonicMs(), bytes: await scene.residentBytes() });
      await pause(LOOK_MS);
    }
  })();
  const result = await load.ended.finally(() => (isOver = true));
  await looking;
  const { texts, outcome } = await reportOf(result);
  const { records, startedMs } = result;
  const [fromMs, untilMs] = [startedMs + phaseMs, startedMs + 2 * phaseMs];
  const latencies = (wanted: readonly string[], from: number, until: number): number[] =>
    Array.from({ length: records.count }, (_, index) => index)
      .filter((index) => wanted.includes(OUTCOMES[outcome[index] ?? 0] ?? ""))
      .filter((index) => (records.intendedMs[index] ?? 0) >= from && (records.intendedMs[index] ?? 0) < until)
      .map((index) => records.latencyMs[index] ?? 0);
  const refusals = percentilesOf(latencies(["overloaded", "unavailable", "stale"], fromMs, untilMs));
  const accepted = percentilesOf(latencies(["ok"], fromMs, untilMs));
  // The first second of the first phase warms up.
  const before = percentilesOf(latencies(["ok"], startedMs + Math.min(1_000, phaseMs / 4), fromMs));
  const isNormal = (from: number): boolean => {
    const { count, p90 } = percentilesOf(latencies(["ok"], from, from + WINDOW_MS));
    const others = OUTCOMES.filter((each) => each !== "ok");
    return count > 0 && p90 <= 1.5 * before.p99 && latencies(others, from, from + WINDOW_MS).length === 0;
  };
  let recoveryMs: number | undefined;
  for (let ms = 0; recoveryMs === undefined && ms + WINDOW_MS <= phaseMs; ms += WINDOW_MS / 5) {
    if (isNormal(untilMs + ms)) recoveryMs = ms;
  }
  const mib = (from: number, until: number): number[] =>
    resident.filter(({ atMs }) => atMs >= from && atMs < until).map(({ bytes }) => bytes / MIB);
  const failed = OUTCOMES.filter((each) => !["ok", "overloaded", "unavailable", "stale"].includes(each));
  return {
    capacityPerSecond: perSecond,
    goodputRatio: (accepted.count * 1_000) / phaseMs / perSecond,
    goalMs,
    acceptedP99Ms: accepted.p99,
    refusalP50Ms: refusals.p50,
    refusalP99Ms: refusals.p99,
    refused: refusals.count,
    failed: latencies(failed, 0, Number.POSITIVE_INFINITY).length,
    residentMiB: {
      before: percentilesOf(mib(startedMs, fromMs)).max,
      most: percentilesOf(mib(fromMs, untilMs)).max,
      after: percentilesOf(mib(untilMs, Number.POSITIVE_INFINITY)).p50,
    },
    recoveryMs,
    texts,
  };
}
