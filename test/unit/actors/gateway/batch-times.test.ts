import { describe, expect, it } from "vitest";
import { createBatchTimes } from "../../../../src/actors/gateway/batch-times.ts";
import { randomFrom } from "../../../support/random.ts";

describe("createBatchTimes", () => {
  it("knows nothing at first", () => {
    const times = createBatchTimes();
    expect([times.intervalMs(8), times.computeMs(8), times.latencyMs(8)]).toEqual([0, 0, 0]);
  });

  it("recovers a + b n of each slice from noisy times", () => {
    const draw = randomFrom(7);
    const times = createBatchTimes();
    const slices = [
      { a: 2, b: 0.5 },
      { a: 1, b: 1.5 },
    ];
    const us = (n: number) => slices.map(({ a, b }) => 1_000 * (a + b * n) * (0.9 + 0.2 * draw()));
    for (let round = 0; round < 400; round += 1) {
      const n = 1 + Math.floor(draw() * 32);
      const computeUs = us(n);
      times.observe(n, computeUs, computeUs.reduce((sum, each) => sum + each, 0) / 1_000 + 3, 0);
    }
    for (const n of [1, 8, 16, 32]) {
      const [first, second] = slices.map(({ a, b }) => a + b * n) as [number, number];
      // 10 % of noise on about 50 batches: 5 % of the mean.
      const slack = 0.05 * 30;
      expect(Math.abs(times.intervalMs(n) - Math.max(first, second))).toBeLessThan(slack);
      expect(Math.abs(times.computeMs(n) - first - second)).toBeLessThan(2 * slack);
      expect(times.latencyMs(n) - times.computeMs(n)).toBeCloseTo(3, 6);
    }
  });

  it("of one size alone: no less for fewer samples, in proportion for more", () => {
    const times = createBatchTimes();
    for (let round = 0; round < 5; round += 1) times.observe(4, [8_000], 8, 0);
    expect([1, 4, 8].map((n) => times.intervalMs(n))).toEqual([8, 8, 16]);
  });

  it("predicts no less than the mean where noise makes the constant negative", () => {
    const times = createBatchTimes();
    times.observe(4, [3_000], 3, 0);
    times.observe(8, [9_000], 9, 0);
    // Weighted, the mean is 6.03 ms at 6.02 samples.
    expect(times.intervalMs(6)).toBeCloseTo(6, 0);
    expect(times.intervalMs(1)).toBeGreaterThan(0);
  });

  it("never predicts less for more samples", () => {
    const times = createBatchTimes();
    times.observe(1, [9_000], 9, 0);
    times.observe(16, [3_000], 3, 0);
    expect(times.intervalMs(16)).toBeGreaterThanOrEqual(times.intervalMs(1));
  });

  it("follows a machine that became slower within 100 batches", () => {
    const times = createBatchTimes();
    const observe = (factor: number): void => {
      for (let round = 0; round < 200; round += 1) {
        const n = 1 + (round % 8);
        times.observe(n, [factor * 1_000 * (1 + n)], factor * (1 + n), 0);
      }
    };
    observe(1);
    expect(times.intervalMs(8)).toBeCloseTo(9, 3);
    observe(3);
    expect(Math.abs(times.intervalMs(8) - 27)).toBeLessThan(1);
  });

  it("counts as hops what neither its computation nor the batches before it explain", () => {
    const times = createBatchTimes();
    times.observe(4, [4_000], 5, 0);
    times.observe(4, [4_000], 13, 8);
    times.observe(4, [4_000], 10, 8); // the one before was nearly done
    expect(times.latencyMs(4)).toBe(5);
  });

  it("does not take one that was held up for the rule, and follows when all are", () => {
    const times = createBatchTimes();
    for (const totalMs of [94, 5, 5, 5, 504, 5]) times.observe(4, [4_000], totalMs, 0);
    expect(times.latencyMs(4)).toBe(5);
    for (let round = 0; round < 8; round += 1) times.observe(4, [4_000], 34, 0);
    expect(times.latencyMs(4)).toBe(34);
  });

  it("forgets the slices of another topology", () => {
    const times = createBatchTimes();
    times.observe(4, [4_000, 4_000, 4_000], 12, 0);
    times.observe(4, [2_000], 2, 0);
    expect(times.computeMs(4)).toBeLessThan(4.1);
  });
});
