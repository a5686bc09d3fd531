/**
 * Promotions under load, every answer compared bit by bit with its release computed elsewhere. Over a pipeline one block of
 * the network changes at a time, and now and then a replica is killed.
 */
import {
  isFailure,
  type LoadReport,
  type LoadResult,
  type Mark,
  monotonicMs,
  type Outcome,
  OUTCOMES,
  type Percentiles,
  percentilesOf,
  reportOf,
} from "../../serving/load/index.ts";
import { capacityOf, liveAt, pause, sequentialClient, startSceneLoad } from "./scene-load.ts";
import type { OpenServingScene, ServingScene } from "./serving-scene.ts";

export interface SwapsOptions {
  readonly shape: "whole" | "blocks";
  /** Of each block. @default 1 */
  readonly replicas?: number;
  readonly swaps: number;
  /** From one release's being live to the next promotion, ms: longer than twice the 100 ms around each. */
  readonly intervalMs: number;
  /** A share of the capacity, which is measured before for so long; or a rate. */
  readonly load: { readonly share: number; readonly capacityMs: number } | { readonly ratePerSecond: number };
  /** Longest wait that admission allows, ms. @default the server's own */
  readonly targetMs?: number;
  /** Releases with weights of their own, promoted in turns. */
  readonly releases: number;
  /** Does not wait until a release is live before it promotes the next one: some are overtaken. @default false */
  readonly isHasty?: boolean;
  /** Kills a replica after each so many swaps. */
  readonly killEvery?: number;
  readonly seed: number;
  readonly write: (line: string) => void;
}

export interface SwapsResult {
  readonly swaps: number;
  readonly requests: number;
  readonly ratePerSecond: number;
  readonly outcomes: LoadReport["total"]["outcomes"];
  readonly texts: LoadReport["texts"];
  readonly compared: number;
  readonly kills: number;
  /** Requests that failed or were refused, and those of them that were in flight within two seconds of a kill. */
  readonly notAnswered: number;
  readonly notAnsweredNearKills: number;
  readonly steady: Percentiles;
  readonly nearSwaps: Percentiles;
  /** p99 from 100 ms before the order of a swap to 100 ms after its first answer, over p99 away from all. */
  readonly p99Ratio: number;
  /** From the order to the first answer by the new release, ms. */
  readonly swapMs: Percentiles;
  /** Swaps after whose order no answer by the release was seen before the next. */
  readonly unseen: number;
  /**
   * Answers by a release that was not live at any time between sending and answer, but for a swap under way. Undefined in
   * haste: a release that was overtaken looks like its next promotion.
   */
  readonly outdated: number | undefined;
  /** The first and the last tenth. */
  readonly first: SwapPart;
  readonly last: SwapPart;
  readonly residentMiB: readonly number[];
  readonly tensors: readonly (number | undefined)[];
}

export interface SwapPart {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly swapP50Ms: number;
}

interface Swap {
  readonly release: number;
  readonly orderedMs: number;
}

const WARM_UP_MS = 2_000;
const NEAR_KILL_MS = 2_000;
/** Shorter than twice the 100 ms around a mark. */
const MARK_EVERY_MS = 100;
const MIB = 2 ** 20;

export async function measureSwaps(open: OpenServingScene, options: SwapsOptions): Promise<SwapsResult> {
  const { shape, swaps: wanted, intervalMs, killEvery, seed, replicas = 1, targetMs, write, isHasty = false } = options;
  await using scene = await open({ shape, replicas, ...(targetMs === undefined ? {} : { targetMs }) });
  const releases: number[] = [];
  for (let index = 0; index < options.releases; index += 1) {
    releases.push(await scene.publish(seed + index, shape === "blocks" ? index % scene.slices : undefined));
  }
  const ratePerSecond = await rateOf(scene, options.load);
  const durationMs = WARM_UP_MS + 10 * wanted * intervalMs + 60_000; // stopped when the swaps are over
  write(`${wanted} swaps at ${ratePerSecond.toFixed(0)} requests/s`);

  await using load = startSceneLoad(scene, {
    streams: [{ name: "interactive", ratePerSecond, timeoutMs: 5_000 }],
    seed,
    durationMs,
    warmUpMs: WARM_UP_MS,
  });
  await pause(WARM_UP_MS);
  await using probe = await sequentialClient(scene);
  const swaps: Swap[] = [];
  const kills: number[] = [];
  const residentMiB = [(await scene.residentBytes()) / MIB];
  const tensors = [await scene.tensors()];
  await pause(intervalMs);
  for (let index = 0; index < wanted; index += 1) {
    const release = releases[index % releases.length] ?? 1;
    const orderedMs = monotonicMs();
    load.mark("swap", orderedMs);
    await scene.promote(release);
    swaps.push({ release, orderedMs });
    if (!isHasty) await liveAt(probe, release);
    if (killEvery !== undefined && (index + 1) % killEvery === 0 && index + 1 < wanted) {
      kills.push(monotonicMs());
      await scene.killReplica(kills.length % scene.replicas);
    }
    const paused = pause(intervalMs);
    if ((index + 1) % Math.ceil(wanted / 10) === 0) {
      residentMiB.push((await scene.residentBytes()) / MIB);
      tensors.push(await scene.tensors());
      write(`${index + 1} swaps, RSS ${(residentMiB.at(-1) ?? 0).toFixed(0)} MiB`);
    }
    await paused;
  }
  load.stop();
  const result = await load.ended;
  const marks = [...result.marks, ...swapsUnderWay(swaps, result)];
  const report = await reportOf({ ...result, marks }, { expected: scene.expected });
  return describe({ result, report, swaps, kills, isHasty, residentMiB, tensors, ratePerSecond });
}

async function rateOf(scene: ServingScene, load: SwapsOptions["load"]): Promise<number> {
  if ("ratePerSecond" in load) return load.ratePerSecond;
  return load.share * (await capacityOf(scene, { durationMs: load.capacityMs })).perSecond;
}

function describe(
  measured: Pick<SwapsResult, "residentMiB" | "tensors" | "ratePerSecond"> & {
    readonly result: LoadResult;
    readonly report: LoadReport;
    readonly swaps: readonly Swap[];
    readonly kills: readonly number[];
    readonly isHasty: boolean;
  },
): SwapsResult {
  const { result, report, swaps, kills, isHasty, residentMiB, tensors, ratePerSecond } = measured;
  const { records } = result;
  const outcomeAt = (index: number): Outcome => OUTCOMES[report.outcome[index] ?? 0] ?? "malformed";
  const answered: number[] = [];
  const lost: number[] = [];
  for (let index = 0; index < records.count; index += 1) (outcomeAt(index) === "ok" ? answered : lost).push(index);
  const sentAt = (index: number): number => (records.intendedMs[index] ?? 0) + (records.lagMs[index] ?? 0);
  const endAt = (index: number): number => (records.intendedMs[index] ?? 0) + (records.latencyMs[index] ?? 0);
  const isNearKill = (index: number): boolean =>
    kills.some((atMs) => endAt(index) >= atMs && sentAt(index) <= atMs + NEAR_KILL_MS);

  const times = swapTimes(swaps, answered, { endAt, releaseAt: (index) => records.release[index] ?? 0 });
  const seen = times.filter((ms) => ms !== undefined);
  const tenth = Math.max(1, Math.floor(swaps.length / 10));
  const part = (from: number, to: number): SwapPart => {
    const [begin, end] = [swaps[from]?.orderedMs ?? 0, swaps[to]?.orderedMs ?? Number.POSITIVE_INFINITY];
    const within = answered.filter(
      (index) => (records.intendedMs[index] ?? 0) >= begin && (records.intendedMs[index] ?? 0) < end,
    );
    const { p50, p99 } = percentilesOf(within.map((index) => records.latencyMs[index] ?? 0));
    const swapP50Ms = percentilesOf(times.slice(from, to).filter((ms) => ms !== undefined)).p50;
    return { p50Ms: p50, p99Ms: p99, swapP50Ms };
  };
  return {
    swaps: swaps.length,
    requests: report.total.requests,
    ratePerSecond,
    outcomes: report.total.outcomes,
    texts: report.texts,
    compared: report.compared,
    kills: kills.length,
    notAnswered: lost.length,
    notAnsweredNearKills: lost.filter((index) => isNearKill(index) && !isWrong(outcomeAt(index))).length,
    steady: report.awayFromMarks,
    nearSwaps: report.nearMarks,
    p99Ratio: report.nearMarks.p99 / report.awayFromMarks.p99,
    swapMs: percentilesOf(seen),
    unseen: times.length - seen.length,
    outdated: isHasty
      ? undefined
      : outdatedAnswers(swaps, times, answered, {
          sentAt,
          endAt,
          releaseAt: (index) => records.release[index] ?? 0,
        }),
    first: part(0, tenth),
    last: part(swaps.length - tenth, swaps.length),
    residentMiB,
    tensors,
  };
}

/** Between the order of a swap and its first answer, and that answer: latencies near any of it are near a swap. */
function swapsUnderWay(swaps: readonly Swap[], { records }: LoadResult): Mark[] {
  const ok = OUTCOMES.indexOf("ok");
  const answered: number[] = [];
  for (let index = 0; index < records.count; index += 1) if (records.outcome[index] === ok) answered.push(index);
  const times = swapTimes(swaps, answered, {
    endAt: (index) => (records.intendedMs[index] ?? 0) + (records.latencyMs[index] ?? 0),
    releaseAt: (index) => records.release[index] ?? 0,
  });
  return swaps.flatMap(({ orderedMs }, index) => {
    const endMs = orderedMs + (times[index] ?? 0);
    const between: Mark[] = [{ name: "swapped", atMs: endMs }];
    for (let atMs = orderedMs + MARK_EVERY_MS; atMs < endMs; atMs += MARK_EVERY_MS) {
      between.push({ name: "swapping", atMs });
    }
    return between;
  });
}

/** A wrong answer is never excused by a kill. */
function isWrong(outcome: Outcome): boolean {
  return isFailure(outcome) && ["wrong-bits", "wrong-release", "mixed", "malformed"].includes(outcome);
}

interface AnswerTimes {
  readonly endAt: (index: number) => number;
  readonly releaseAt: (index: number) => number;
}

/** For each swap from its order to the end of the first answer by its release; undefined: the next swap came before. */
export function swapTimes(
  swaps: readonly Pick<Swap, "release" | "orderedMs">[],
  answered: readonly number[],
  { endAt, releaseAt }: AnswerTimes,
): (number | undefined)[] {
  const byEnd = [...answered].sort((a, b) => endAt(a) - endAt(b));
  let at = 0;
  return swaps.map(({ release, orderedMs }, index) => {
    const untilMs = swaps[index + 1]?.orderedMs ?? Number.POSITIVE_INFINITY;
    while (at < byEnd.length && endAt(byEnd[at] ?? 0) < orderedMs) at += 1;
    for (let next = at; next < byEnd.length; next += 1) {
      const answer = byEnd[next] ?? 0;
      if (endAt(answer) >= untilMs) return undefined;
      if (releaseAt(answer) === release) return endAt(answer) - orderedMs;
    }
    return undefined;
  });
}

/** Answers to requests that were sent when the swap before had been seen already, by neither that release nor a later one. */
export function outdatedAnswers(
  swaps: readonly Pick<Swap, "release" | "orderedMs">[],
  times: readonly (number | undefined)[],
  answered: readonly number[],
  { sentAt, endAt, releaseAt }: AnswerTimes & { readonly sentAt: (index: number) => number },
): number {
  let outdated = 0;
  for (const index of answered) {
    // The last swap that was seen before it was sent, and all that were ordered before its answer came.
    let from = -1;
    swaps.forEach(({ orderedMs }, swap) => {
      const ms = times[swap];
      if (ms !== undefined && orderedMs + ms < sentAt(index)) from = swap;
    });
    if (from < 0) continue;
    const allowed = swaps.slice(from).filter(({ orderedMs }) => orderedMs <= endAt(index));
    if (!allowed.some(({ release }) => release === releaseAt(index))) outdated += 1;
  }
  return outdated;
}
