/**
 * How long a batch of n samples takes, learnt from the batches so far: a + b n for each slice, by least squares in which
 * older observations count less. Plain state.
 */
import { medianWith } from "./recent-median.ts";

export interface BatchTimes {
  /**
   * @param computeUs of each slice, microseconds
   * @param totalMs from dispatch to result
   * @param aheadMs of that, for batches that were under way before it; what neither explains is the cost of the hops, and
   * of threads that are late
   */
  observe(samples: number, computeUs: readonly number[], totalMs: number, aheadMs: number): void;
  /** Time between two batches of n samples when every slice is kept busy, ms: that of the slowest slice; 0: not known. */
  intervalMs(samples: number): number;
  /** In all slices, ms; 0: not known. */
  computeMs(samples: number): number;
  /** From dispatch to result of a batch of n samples, when nothing is under way before it, ms; 0: not known. */
  latencyMs(samples: number): number;
}

/** Weight of the past at each observation: the last 50 decide. */
const DECAY = 0.98;
/** Batches whose hops are remembered. Their median decides: one that was held up says nothing of the next. */
const HOPS = 15;

interface Fit {
  observe(samples: number, ms: number): void;
  at(samples: number): number;
}

export function createBatchTimes(): BatchTimes {
  const slices: Fit[] = [];
  const hops: number[] = [];
  let hopsMs = 0;

  return {
    observe(samples, computeUs, totalMs, aheadMs) {
      let computeMs = 0;
      if (computeUs.length < slices.length) slices.length = computeUs.length; // served by another topology
      for (const [index, us] of computeUs.entries()) {
        slices[index] ??= createFit();
        slices[index].observe(samples, us / 1_000);
        computeMs += us / 1_000;
      }
      hopsMs = medianWith(hops, Math.max(0, totalMs - computeMs - aheadMs), HOPS);
    },
    intervalMs: (samples) => Math.max(0, ...slices.map((fit) => fit.at(samples))),
    computeMs: (samples) => slices.reduce((sum, fit) => sum + fit.at(samples), 0),
    latencyMs: (samples) => slices.reduce((sum, fit) => sum + fit.at(samples), slices.length === 0 ? 0 : hopsMs),
  };
}

function createFit(): Fit {
  let weight = 0;
  let sumN = 0;
  let sumNN = 0;
  let sumMs = 0;
  let sumNMs = 0;
  return {
    observe(samples, ms) {
      weight = DECAY * weight + 1;
      sumN = DECAY * sumN + samples;
      sumNN = DECAY * sumNN + samples * samples;
      sumMs = DECAY * sumMs + ms;
      sumNMs = DECAY * sumNMs + samples * ms;
    },
    at(samples) {
      if (weight === 0) return 0;
      const [meanN, meanMs] = [sumN / weight, sumMs / weight];
      const variance = sumNN / weight - meanN * meanN;
      // Of one size alone nothing is known of the others: proportional above it, no faster below.
      if (variance < 1e-6 * Math.max(1, meanN * meanN)) return meanMs * Math.max(1, samples / meanN);
      const slope = Math.max(0, (sumNMs / weight - meanN * meanMs) / variance);
      const constant = meanMs - slope * meanN;
      // Noise makes it negative: then the line through the origin and the mean, as n samples never take less than none.
      return constant < 0 ? (meanMs * samples) / meanN : constant + slope * samples;
    },
  };
}
