import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createObserver,
  createSlidingBudget,
  limitsOf,
  NOT_OBSERVED,
  type Observation,
  type Observer,
  type ObserverInput,
} from "../../../../src/continuous/observation/index.ts";
import { randomFrom } from "../../../support/random.ts";

const OPTIONS: ObserverInput = {
  seed: 1,
  classes: 3,
  budget: { inputsPerMinute: 120, bytesPerMinute: 12_000 },
  maxInputBytes: 100,
};
const SURE = [9, 0, 0];
const input = (atMs: number, bytes = 50, logits: readonly number[] = SURE) => ({
  payload: new Uint8Array(bytes).fill(7),
  atMs,
  logits,
});
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const notObserved = ({ counts }: Observer): number => sum(NOT_OBSERVED.map((cause) => counts[cause]));

/** Inputs whose errors are mostly, but not all, where the student is not sure; and which have the larger payloads. */
function population(count: number) {
  const random = randomFrom(31);
  return Array.from({ length: count }, (_, index) => {
    const isSure = random() < 0.8;
    const isWrong = random() < (isSure ? 0.03 : 0.6);
    return {
      isWrong,
      atMs: index * 10, // 100 a second
      payload: new Uint8Array(isWrong ? 60 + Math.floor(random() * 40) : 20 + Math.floor(random() * 40)),
      logits: isSure ? [6 + random(), random(), random()] : [1 + random(), random(), random()],
      candidateLogits: isWrong && random() < 0.5 ? [0, 5, 0] : [5, 0, 0],
    };
  });
}

describe("createObserver", () => {
  it.each([
    ["inputs", 12_000],
    ["bytes", 6_000],
  ])("estimates are unbiased although the choice is not, by a budget of %s: mean against the truth", (_, bytes) => {
    const budget = { inputsPerMinute: 120, bytesPerMinute: bytes };
    const inputs = population(1_000); // 10 s: two slots
    const truth = inputs.filter(({ isWrong }) => isWrong).length;
    const runs = Array.from({ length: 300 }, (__, seed) => {
      const observer = createObserver({ ...OPTIONS, budget, seed });
      const observations: Observation[] = [];
      for (const live of inputs) {
        observer.consider(live);
        observations.push(...observer.take(live.atMs));
      }
      observations.push(...observer.take(1e6));
      const isWrong = ({ sequence }: Observation): boolean => inputs[sequence]?.isWrong ?? false;
      const uniform = observations.filter(({ stratum }) => stratum === "uniform");
      return {
        weighted: sum(observations.filter(isWrong).map(({ weight }) => weight)),
        uniform: sum(uniform.filter(isWrong).map(({ inclusion }) => 1 / inclusion)),
        size: sum(observations.map(({ weight }) => weight)),
        naive: (observations.filter(isWrong).length / observations.length) * inputs.length,
      };
    });
    const summary = (pick: (run: (typeof runs)[number]) => number): { mean: number; error: number } => {
      const values = runs.map(pick);
      const mean = sum(values) / values.length;
      const variance = sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1);
      return { mean, error: Math.sqrt(variance / values.length) };
    };
    for (const [pick, expected, spread] of [
      [(run: (typeof runs)[number]) => run.weighted, truth, 0.1],
      [(run: (typeof runs)[number]) => run.uniform, truth, 0.2],
      [(run: (typeof runs)[number]) => run.size, inputs.length, 0.1],
    ] as const) {
      const { mean, error } = summary(pick);
      expect(error).toBeLessThan(spread * expected);
      expect(Math.abs(mean - expected)).toBeLessThan(3 * error);
    }
    const naive = summary((run) => run.naive);
    expect(naive.mean - truth).toBeGreaterThan(20 * naive.error);
  });

  it("uncertain, new and disputed inputs are chosen more often", () => {
    const observer = createObserver(OPTIONS);
    const random = randomFrom(3);
    const chosen = { sure: 0, disputed: 0 };
    for (let index = 0; index < 12_000; index += 1) {
      const atMs = index * 10;
      const isDisputed = index % 20 === 0;
      observer.consider({
        ...input(atMs, 50, [8 + random(), random(), random()]),
        ...(isDisputed ? { candidateLogits: [0, 8, 0] } : {}),
      });
      for (const { interest, stratum } of observer.take(atMs)) {
        if (stratum === "interesting") chosen[interest.disagreement === 1 ? "disputed" : "sure"] += 1;
      }
    }
    expect(chosen.disputed / chosen.sure).toBeGreaterThan(3 * (1 / 19));
  });

  it("of what a candidate computed, disagreement alone is of interest: all disagreements have the same chance", () => {
    const observer = createObserver({ ...OPTIONS, interest: { disagreement: 0, uncertainty: 1, novelty: 1 } });
    const random = randomFrom(5);
    const ratios: number[] = [];
    for (let slot = 0; slot < 50; slot += 1) {
      const atMs = 5_000 * slot;
      for (let index = 0; index < 500; index += 1) {
        const logits = [1 + 8 * random(), random(), random()]; // sure or not
        observer.consider({ ...input(atMs, 50, logits), candidateLogits: index % 5 === 0 ? [0, 8, 0] : logits });
      }
      const chosen = observer.take(atMs + 5_000).filter(({ stratum }) => stratum === "interesting");
      const chances = (disagreement: number): number[] =>
        chosen.filter(({ interest }) => interest.disagreement === disagreement).map(({ inclusion }) => inclusion);
      const [disputed = 0, ...others] = chances(1);
      expect(others.every((chance) => chance === disputed)).toBe(true);
      ratios.push(...chances(0).map((chance) => chance / disputed));
    }
    expect(ratios.length).toBeGreaterThan(0);
    for (const ratio of ratios) expect(ratio).toBeCloseTo(0.01, 10); // the floor
  });

  it("uploads never more than the budget in any minute, whatever the arrivals, and counts every input once", () => {
    const arrivals = fc.array(
      fc.record({
        pauseMs: fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 20_000 })),
        stepBackMs: fc.oneof(fc.constant(0), fc.nat({ max: 3_000 })),
        bytes: fc.integer({ min: 0, max: 120 }),
        isPolled: fc.boolean(),
      }),
      { minLength: 1, maxLength: 300 },
    );
    const tight: ObserverInput = { ...OPTIONS, budget: { inputsPerMinute: 36, bytesPerMinute: 3_600 } };
    fc.assert(
      fc.property(arrivals, fc.boolean(), (events, isShared) => {
        const budget = createSlidingBudget(limitsOf(tight));
        const deps = isShared ? { budget } : {};
        const observers = [createObserver(tight, deps), createObserver({ ...tight, seed: 2 }, deps)];
        const uploads = observers.map((): { atMs: number; bytes: number }[] => []);
        let nowMs = 0;
        for (const { pauseMs, stepBackMs, bytes, isPolled } of events) {
          nowMs += pauseMs;
          for (const [index, observer] of observers.entries()) {
            observer.consider(input(nowMs - stepBackMs, bytes));
            if (!isPolled) continue;
            for (const { payload } of observer.take(nowMs))
              uploads[index]?.push({ atMs: nowMs, bytes: payload.length });
          }
        }
        for (const uploaded of isShared ? [uploads.flat()] : uploads) {
          for (const { atMs } of uploaded) {
            const within = uploaded.filter((other) => other.atMs >= atMs && other.atMs < atMs + 60_000);
            expect(within.length).toBeLessThanOrEqual(36);
            expect(sum(within.map(({ bytes }) => bytes))).toBeLessThanOrEqual(3_600);
          }
        }
        for (const observer of observers) {
          const { considered, observed, pending } = observer.counts;
          expect(considered).toBe(events.length);
          expect(observed + pending + notObserved(observer)).toBe(considered);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("spends nearly all of the budget under load", () => {
    const observer = createObserver(OPTIONS);
    for (let atMs = 0; atMs < 300_000; atMs += 20) {
      observer.consider(input(atMs));
      observer.take(atMs);
    }
    expect(observer.counts.observed).toBeGreaterThan(0.95 * 5 * 120);
  });

  it("holds a slot's observations until it ends, and names that time", () => {
    const observer = createObserver(OPTIONS);
    expect(observer.dueMs).toBeUndefined();
    observer.consider(input(1_000));
    expect(observer.dueMs).toBe(6_000);
    expect(observer.take(5_999)).toEqual([]);
    expect(observer.counts.pending).toBe(1);
    expect(observer.take(6_000)).toMatchObject([{ sequence: 0, weight: 1, inclusion: 1, atMs: 1_000 }]);
    expect(observer.dueMs).toBeUndefined();
  });

  it("waits for room when another observer has spent a shared budget", () => {
    const budget = createSlidingBudget(limitsOf(OPTIONS as Parameters<typeof limitsOf>[0]));
    const observer = createObserver(OPTIONS, { budget });
    budget.spend({ atMs: 0, inputs: 111, bytes: 0 });
    observer.consider(input(1_000));
    expect(observer.take(6_000)).toEqual([]);
    expect(observer.dueMs).toBe(60_000);
    expect(observer.take(60_000)).toHaveLength(1);
  });

  it("equal seeds and inputs give equal observations", () => {
    const chosen = (seed: number): number[] => {
      const observer = createObserver({ ...OPTIONS, seed });
      for (const live of population(1_000)) observer.consider(live);
      return observer.take(1e6).map(({ sequence }) => sequence);
    };
    expect(chosen(5)).toEqual(chosen(5));
    expect(chosen(6)).not.toEqual(chosen(5));
  });

  it("counts what is too large, empty, of another shape, or too old", () => {
    const observer = createObserver({ ...OPTIONS, ttlMs: 10_000 });
    expect(observer.consider(input(0, 101))).toBe("tooLarge");
    expect(observer.consider(input(0, 0))).toBe("invalid");
    expect(observer.consider(input(0, 10, [1, 2]))).toBe("invalid");
    expect(observer.consider({ ...input(0), candidateLogits: [1] })).toBe("invalid");
    expect(observer.consider(input(0))).toBeUndefined();
    expect(observer.consider(input(1))).toBeUndefined();
    expect(observer.take(10_000)).toMatchObject([{ sequence: 5, expiresAtMs: 10_001 }]);
    expect(observer.counts).toMatchObject({ tooLarge: 1, invalid: 3, expired: 1, observed: 1 });
  });

  it("uploads what the hook makes of an input; without its answer, nothing", () => {
    const answers: ((payload: Uint8Array) => Uint8Array | undefined)[] = [
      (payload) => payload.slice(0, 3),
      () => undefined,
      (payload) => new Uint8Array(payload.length + 1),
      () => {
        throw new Error("no mask");
      },
    ];
    const observer = createObserver(OPTIONS, { redact: (payload) => answers[payload.length - 10]?.(payload) });
    for (const index of answers.keys()) observer.consider(input(0, 10 + index));
    expect(observer.take(5_000)).toMatchObject([{ sequence: 0, payload: Uint8Array.of(7, 7, 7) }]);
    expect(observer.counts).toMatchObject({ observed: 1, observedBytes: 3, withheld: 1, redactionFailed: 2 });
  });

  it.each([
    [{ budget: { inputsPerMinute: 35, bytesPerMinute: 12_000 } }, /inputsPerMinute.*35 in 12 slots.*slotsPerMinute/],
    [{ budget: { inputsPerMinute: 120, bytesPerMinute: 3_599 } }, /bytesPerMinute.*3599 in 12 slots/],
    [{ slotsPerMinute: 7 }, /slotsPerMinute.*divide a minute/],
    [{ ttlMs: 5_000 }, /ttlMs.*longer than a slot/],
    [{ uniformShare: 0 }, /uniformShare/],
    [{ classes: 1 }, /classes/],
    [{ rate: 1 }, /rate/],
  ])("refuses %j with KN_CONFIG", (part, message) => {
    const create = (): unknown => createObserver({ ...OPTIONS, ...part });
    expect(create).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    expect(create).toThrow(message);
  });

  it("refuses a shared budget that a slot is beyond", () => {
    const budget = createSlidingBudget({ inputs: 5, bytes: 12_000 });
    expect(() => createObserver(OPTIONS, { budget })).toThrow(/KN_CONFIG.*shared budget/);
  });
});
