import { describe, expect, it } from "vitest";
import { type SimulatedClock, simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { generateLoad } from "../../../../tools/serving/load/generate-load.ts";
import type { LoadImages, LoadOptions } from "../../../../tools/serving/load/load-options.ts";
import type { LoadResult } from "../../../../tools/serving/load/load-records.ts";
import { isFailure } from "../../../../tools/serving/load/outcome.ts";
import { poissonGaps } from "../../../../tools/serving/load/poisson-arrivals.ts";
import { type LoadReport, reportOf, type ReportOptions } from "../../../../tools/serving/load/report.ts";
import type { Expected } from "../../../../tools/serving/load/verify-answers.ts";
import type { Wire, WireAnswer, WireRequest } from "../../../../tools/serving/load/wire.ts";

const IMAGES: LoadImages = { shape: [2], values: new Float32Array(8) };
const OPTIONS: LoadOptions = {
  target: { kind: "http", url: "http://nowhere", model: "digits" },
  images: IMAGES,
  seed: 7,
  durationMs: 10_000,
  streams: [{ name: "interactive", ratePerSecond: 100 }],
};

/** Logits of release 3 for any sample: what `answerOf` below answers with. */
const LOGITS = Float32Array.from([1, -2]);
const answerOf = ({ stream }: WireRequest, change: object = {}): WireAnswer =>
  ({
    kind: "logits",
    release: 3,
    batch: 1,
    logits: Float32Array.from({ length: 2 * (stream.samples ?? 1) }, (_, index) => LOGITS[index % 2] ?? 0),
    ...change,
  }) as WireAnswer;
const expected: Expected = (release) =>
  Float32Array.from({ length: 8 }, (_, index) => (LOGITS[index % 2] ?? 0) + release - 3);

/** A server that answers after `delayMs(time since the start)`; undefined: never. */
function serverOf(
  clock: SimulatedClock,
  delayMs: (sinceMs: number) => number | undefined,
  answer: (request: WireRequest, number: number) => WireAnswer = (request) => answerOf(request),
): Wire & { readonly sent: WireRequest[] } {
  const startedMs = clock.now();
  const sent: WireRequest[] = [];
  return {
    sent,
    send(request, then) {
      sent.push(request);
      const number = sent.length;
      const delay = delayMs(clock.now() - startedMs);
      if (delay === undefined) return () => undefined;
      const timer = clock.setTimeout(() => {
        then(answer(request, number));
      }, delay);
      return () => {
        clock.clearTimeout(timer);
      };
    },
    close: async () => undefined,
  };
}

async function load(
  options: Partial<LoadOptions>,
  wireOf: (clock: SimulatedClock) => Wire,
  reporting: ReportOptions = { expected },
): Promise<LoadReport> {
  const clock = simulatedClock();
  const all = { ...OPTIONS, ...options };
  const generated = generateLoad(all, { wire: wireOf(clock), clock });
  await clock.advance(all.durationMs + 5_000);
  const result: LoadResult = {
    ...(await generated),
    seconds: all.durationMs / 1_000,
    cpuSeconds: 0,
    marks: [],
    streams: all.streams.map(({ name }) => name),
    warmUpMs: all.warmUpMs ?? 0,
  };
  return reportOf(result, reporting);
}

describe("poissonGaps", () => {
  it("draws the same times from a seed, and others from another", () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, poissonGaps(seed, 100));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it("has the mean, the deviation and the memory of a Poisson process", () => {
    const gaps = Array.from({ length: 50_000 }, poissonGaps(3, 200));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(mean).toBeGreaterThan(4.9); // ms: 5, within 4 standard errors
    expect(mean).toBeLessThan(5.1);
    expect(deviation / mean).toBeCloseTo(1, 1);
    const beyond = (ms: number): number => gaps.filter((gap) => gap > ms).length;
    expect(beyond(10) / beyond(5)).toBeCloseTo(Math.exp(-1), 1); // memoryless
  });

  it("refuses a rate that is not positive", () => {
    expect(() => poissonGaps(1, 0)).toThrow(RangeError);
  });
});

describe("generateLoad", () => {
  it("sends at the same times whatever the server does", async () => {
    const fast = await load({}, (clock) => serverOf(clock, () => 1));
    const slow = await load({}, (clock) => serverOf(clock, () => 900));
    expect(slow.total.requests).toBe(fast.total.requests);
    expect(fast.total.requests).toBeGreaterThan(900);
    expect(fast.total).toMatchObject({
      ok: fast.total.requests,
      failed: 0,
      refused: 0,
      releases: { 3: fast.total.ok },
    });
    expect(fast.compared).toBe(4); // one for each sample of the pool
  });

  it("shows a stall of a second in every request that was due in it", async () => {
    // One request at a time, as a closed loop would send them: the others wait here, and their wait counts.
    const stall = (sinceMs: number): number => (sinceMs > 5_000 && sinceMs < 6_000 ? 6_000 - sinceMs : 1);
    const { total, series, generator } = await load({ maxInFlight: 1 }, (clock) => serverOf(clock, stall));
    expect(total.failed).toBe(0);
    expect(total.latencyMs.p50).toBeLessThan(5);
    expect(total.latencyMs.max).toBeGreaterThan(900);
    expect(total.latencyMs.p99).toBeGreaterThan(500); // a closed loop sees one slow request of a thousand
    expect(series[5]?.p50Ms).toBeGreaterThan(200);
    expect(generator.lagMs.max).toBeGreaterThan(900);
  });

  it("counts a request without an answer, and one that could not be sent in time", async () => {
    const { total } = await load({ maxInFlight: 1, durationMs: 2_000 }, (clock) => serverOf(clock, () => undefined));
    expect(total.outcomes).toEqual({ unanswered: total.requests });
    expect(total.failed).toBe(total.requests);
  });

  it("keeps refusals and failures apart, each with its cause", async () => {
    const outcomes = ["overloaded", "broken"] as const;
    const { total, texts } = await load({}, (clock) =>
      serverOf(
        clock,
        () => 1,
        (request, number) => {
          const outcome = outcomes[number - 1];
          return outcome === undefined ? answerOf(request) : { kind: "failure", outcome, text: "so it is" };
        },
      ),
    );
    expect(total.outcomes).toEqual({ ok: total.requests - 2, overloaded: 1, broken: 1 });
    expect(total).toMatchObject({ refused: 1, failed: 1 });
    expect(texts).toEqual({ "overloaded: so it is": 1, "broken: so it is": 1 });
  });

  it.each([
    ["another bit", { logits: Float32Array.from([1, -2.0000002]) }, "wrong-bits"],
    ["a zero of the other sign", { logits: Float32Array.from([1, -0]) }, "wrong-bits"],
    ["the bits of another release", { logits: Float32Array.from([2, -1]) }, "wrong-release"],
    ["no logits", { logits: new Float32Array(0) }, "malformed"],
    ["one class too many", { logits: Float32Array.from([1, -2, 0]) }, "wrong-bits"],
  ])("finds the one answer that has %s", async (_, change, outcome) => {
    const { total } = await load({}, (clock) =>
      serverOf(
        clock,
        () => 1,
        (request, number) => {
          if (number === 42) return answerOf(request, change);
          // Some by release 4, so that its bits are known.
          return number % 2 === 0
            ? answerOf(request)
            : answerOf(request, { release: 4, logits: Float32Array.from([2, -1]) });
        },
      ),
    );
    expect(total.outcomes).toEqual({ ok: total.requests - 1, [outcome]: 1 });
    expect(total.failed).toBe(1);
    expect(isFailure(outcome as "mixed")).toBe(true);
  });

  it("finds an answer whose rows are of two releases", async () => {
    const streams = [{ name: "interactive", ratePerSecond: 100, samples: 3 }];
    const { total } = await load({ streams }, (clock) =>
      serverOf(
        clock,
        () => 1,
        (request, number) => {
          if (number === 1) return answerOf(request, { release: 4, logits: Float32Array.from([2, -1, 2, -1, 2, -1]) });
          if (number === 5) return answerOf(request, { logits: Float32Array.from([1, -2, 2, -1, 1, -2]) });
          return answerOf(request);
        },
      ),
    );
    expect(total.outcomes).toEqual({ ok: total.requests - 1, mixed: 1 });
  });

  it("finds an answer by another release than asked for", async () => {
    const streams = [{ name: "interactive", ratePerSecond: 100, release: 2 }];
    const { total } = await load({ streams }, (clock) => serverOf(clock, () => 1));
    expect(total.outcomes).toEqual({ "wrong-release": total.requests });
  });

  it("reports streams apart, each within its time, and cuts the warm-up from latencies only", async () => {
    const streams = [
      { name: "interactive", ratePerSecond: 100 },
      { name: "bulk", ratePerSecond: 50, samples: 4, fromMs: 5_000, untilMs: 7_000 },
    ];
    const { streams: reports, total } = await load({ streams, warmUpMs: 5_000 }, (clock) =>
      serverOf(clock, (sinceMs) => (sinceMs < 5_000 ? 400 : 2)),
    );
    const { interactive, bulk } = reports;
    expect(bulk?.requests).toBeGreaterThan(60);
    expect(bulk?.requests).toBeLessThan(140);
    expect(interactive?.requests).toBe(total.requests - (bulk?.requests ?? 0));
    expect(interactive?.latencyMs.max).toBeLessThan(100);
    expect(interactive?.latencyMs.count).toBeLessThan(interactive?.requests ?? 0);
  });

  it("keeps a server busy with an infinite rate: so many at once, for so long", async () => {
    const streams = [{ name: "capacity", ratePerSecond: Number.POSITIVE_INFINITY, fromMs: 1_000, untilMs: 3_000 }];
    const { total } = await load({ streams, maxInFlight: 4 }, (clock) => serverOf(clock, () => 10));
    expect(total.ok).toBe(total.requests);
    expect(total.requests).toBe(800); // 4 in flight, 10 ms each, for 2 s
  });

  it("ends early when it is told to", async () => {
    const clock = simulatedClock();
    const stopping = new AbortController();
    const wire = serverOf(clock, () => 1);
    const generated = generateLoad(OPTIONS, { wire, clock, signal: stopping.signal });
    await clock.advance(1_000);
    stopping.abort();
    await clock.advance(1_000);
    expect((await generated).records.count).toBe(wire.sent.length);
    expect(wire.sent.length).toBeLessThan(200);
  });
});
