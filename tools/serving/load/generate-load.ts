/**
 * The generator: arrivals, the queue in front of the wire, give-up times, records. Time comes from the clock, so that a test
 * sees exactly what is sent when.
 */
import { splitmix32 } from "../../../src/data/index.ts";
import type { Clock } from "../../../src/runtime/clock/index.ts";
import { DEFAULT_IN_FLIGHT, DEFAULT_TIMEOUT_MS, type LoadOptions } from "./load-options.ts";
import { createRecorder, type LoadRecords } from "./load-records.ts";
import { poissonGaps } from "./poisson-arrivals.ts";
import type { Wire, WireAnswer } from "./wire.ts";

/** A request is given up this long after its deadline, ms: the server's own refusal should come first. */
export const GRACE_MS = 1_000;
/** How often give-up times are looked at, ms. */
const SWEEP_MS = 50;

export interface GeneratedLoad {
  readonly records: LoadRecords;
  readonly startedMs: number;
  readonly texts: Readonly<Record<string, number>>;
}

const MAX_TEXTS = 100;
/** Numbers that make each text its own. */
const DURATIONS = /\d+(\.\d+)?(?= ms)/g;

interface Pending {
  readonly stream: number;
  readonly intendedMs: number;
  readonly image: number;
  sentMs: number;
  giveUp: () => void;
}

/** @param signal ends it early: what is in flight is still awaited */
export async function generateLoad(
  options: LoadOptions,
  { wire, clock, signal }: { readonly wire: Wire; readonly clock: Clock; readonly signal?: AbortSignal },
): Promise<GeneratedLoad> {
  const { images, streams, seed, durationMs, maxInFlight = DEFAULT_IN_FLIGHT } = options;
  const pool = images.values.length / images.shape.reduce((product, extent) => product * extent, 1);
  const recorder = createRecorder(pool);
  const texts: Record<string, number> = {};
  const startedMs = clock.now();
  const seeds = splitmix32(seed);
  const arrivals = streams.map(({ ratePerSecond, fromMs = 0, untilMs = durationMs }) => {
    const isClosed = ratePerSecond === Number.POSITIVE_INFINITY;
    const gap = isClosed ? () => 0 : poissonGaps(seeds(), ratePerSecond);
    const fromTime = startedMs + fromMs;
    return {
      isClosed,
      gap,
      fromMs: fromTime,
      nextMs: fromTime + gap(),
      untilMs: startedMs + Math.min(untilMs, durationMs),
    };
  });
  /** Sent and not answered, in the order of sending. */
  const inFlight = new Set<Pending>();
  /** Due and not sent; from `queueHead` on. */
  let queue: Pending[] = [];
  let queueHead = 0;
  let image = 0;
  let isStopped = false;
  let ended: (() => void) | undefined;

  const conclude = (pending: Pending, answer: WireAnswer): void => {
    const nowMs = clock.now();
    const { stream, intendedMs, sentMs } = pending;
    const common = { stream, intendedMs, latencyMs: nowMs - intendedMs, lagMs: sentMs - intendedMs };
    if (answer.kind === "failure") {
      const text = `${answer.outcome}: ${answer.text.replaceAll(DURATIONS, "N")}`;
      if (text in texts || Object.keys(texts).length < MAX_TEXTS) texts[text] = (texts[text] ?? 0) + 1;
      recorder.add({ ...common, outcome: answer.outcome });
      return;
    }
    const { release, batch, logits } = answer;
    const { samples = 1, release: asked = release } = streams[stream] ?? {};
    const isWhole = logits.length > 0 && logits.length % samples === 0;
    recorder.add({
      ...common,
      outcome: isWhole ? (asked === release ? "ok" : "wrong-release") : "malformed",
      release,
      batch,
      ...(isWhole ? { answer: { image: pending.image, samples, logits } } : {}),
    });
  };

  const enqueue = (stream: number, intendedMs: number): void => {
    queue.push({ stream, intendedMs, image, sentMs: 0, giveUp: () => undefined });
    image = (image + (streams[stream]?.samples ?? 1)) % pool;
  };

  /** Closed loops: as many as fit. */
  const refill = (): void => {
    const nowMs = clock.now();
    arrivals.forEach(({ isClosed, fromMs, untilMs }, stream) => {
      if (!isClosed || nowMs < fromMs || nowMs >= untilMs || signal?.aborted === true) return;
      while (inFlight.size + queue.length - queueHead < maxInFlight) enqueue(stream, nowMs);
    });
  };

  const dispatch = (): void => {
    refill();
    while (inFlight.size < maxInFlight && queueHead < queue.length) {
      const pending = queue[queueHead] as Pending;
      queueHead += 1;
      pending.sentMs = clock.now();
      inFlight.add(pending);
      pending.giveUp = wire.send(
        { stream: streams[pending.stream] as LoadOptions["streams"][number], image: pending.image },
        (answer) => {
          inFlight.delete(pending);
          conclude(pending, answer);
          dispatch();
        },
      );
    }
    if (queueHead === queue.length) {
      queue = [];
      queueHead = 0;
      if (isStopped && inFlight.size === 0) ended?.();
    }
  };

  const sweep = (): void => {
    const nowMs = clock.now();
    const isOver = ({ stream, intendedMs }: Pending): boolean =>
      nowMs > intendedMs + (streams[stream]?.timeoutMs ?? DEFAULT_TIMEOUT_MS) + GRACE_MS;
    const text = "no answer in time";
    for (const pending of inFlight) {
      if (!isOver(pending)) continue;
      inFlight.delete(pending);
      pending.giveUp();
      conclude(pending, { kind: "failure", outcome: "unanswered", text });
    }
    for (; queueHead < queue.length && isOver(queue[queueHead] as Pending); queueHead += 1) {
      const pending = queue[queueHead] as Pending;
      pending.sentMs = nowMs;
      conclude(pending, { kind: "failure", outcome: "unanswered", text: "not sent in time" });
    }
    dispatch();
  };

  /** Queues what is due. @returns when the next one is, or undefined when there are no more */
  const arrive = (): number | undefined => {
    const nowMs = clock.now();
    for (;;) {
      let stream = -1;
      arrivals.forEach(({ nextMs, untilMs }, index) => {
        if (nextMs < untilMs && nextMs < (arrivals[stream]?.nextMs ?? Number.POSITIVE_INFINITY)) stream = index;
      });
      const next = arrivals[stream];
      if (next === undefined || signal?.aborted === true) return undefined;
      if (next.nextMs > nowMs) return next.nextMs;
      if (next.isClosed) next.nextMs = next.untilMs;
      else {
        enqueue(stream, next.nextMs);
        next.nextMs += next.gap();
      }
    }
  };

  await new Promise<void>((resolve) => {
    let sweeping = clock.setTimeout(function again() {
      sweep();
      sweeping = clock.setTimeout(again, SWEEP_MS);
    }, SWEEP_MS);
    ended = () => {
      clock.clearTimeout(sweeping);
      resolve();
    };
    const tick = (): void => {
      const nextMs = arrive();
      isStopped = nextMs === undefined;
      dispatch();
      if (nextMs !== undefined) clock.setTimeout(tick, Math.max(0, nextMs - clock.now()));
    };
    tick();
  });
  return { records: recorder.finish(), startedMs, texts };
}
