/**
 * Chooses which live inputs are uploaded, within a budget that holds in every sliding minute.
 *
 * Time is divided into slots. Inputs of a slot are held in bounded memory until it ends; then two strata leave:
 * - `uniform`: each input of the slot with equal probability;
 * - `interesting`: of the rest, with a probability that grows with interest. Of an input that a candidate computed,
 *   disagreement alone is of interest: all that the two disagree about have the same chance, and estimates of who is right
 *   get as many of them as there is room for.
 * No input has probability 0, so estimates from the weights are unbiased although the choice is not: the sum of
 * weight x value over the observations estimates the sum of the value over the inputs of the slot.
 *
 * The weight joins two unbiased estimates of that sum: of the uniform stratum alone (value / inclusion), and of the uniform
 * stratum as it is plus the rest as estimated by the interesting one. Their shares, uniformShare and 1 - uniformShare, do
 * not depend on what was drawn.
 */
import { randomDraws } from "../../data/index.ts";
import { createInterestMeter, type Interest } from "./interest.ts";
import { type ObserverInput, type ObserverOptions, parseObserverOptions, refuseObserver } from "./observer-options.ts";
import { createPrioritySample, type PrioritySample } from "./priority-sample.ts";
import { type Amount, createSlidingBudget, MINUTE_MS, type SlidingBudget } from "./sliding-budget.ts";

export interface LiveInput {
  /** Borrowed until it is uploaded or dropped: must not change. */
  readonly payload: Uint8Array;
  readonly atMs: number;
  /** [classes], of the live student. */
  readonly logits: ArrayLike<number>;
  /** [classes], of the candidate, if there is one: then disagreement alone is of interest. */
  readonly candidateLogits?: ArrayLike<number>;
}

export interface Observation {
  /** As redacted. */
  readonly payload: Uint8Array;
  readonly atMs: number;
  /** Nobody keeps it beyond this time. */
  readonly expiresAtMs: number;
  /** Counter of the inputs that the observer considered. */
  readonly sequence: number;
  readonly stratum: "uniform" | "interesting";
  /** Probability of the input to be in its stratum; for `interesting`, if it is not in the uniform one. */
  readonly inclusion: number;
  /** Inputs of its slot that it stands for, in estimates from both strata. */
  readonly weight: number;
  readonly interest: Interest;
}

/** Why an input was not observed. */
export const NOT_OBSERVED = ["notChosen", "tooLarge", "invalid", "expired", "withheld", "redactionFailed"] as const;
export type NotObserved = (typeof NOT_OBSERVED)[number];

export interface ObserverCounts extends Readonly<Record<NotObserved, number>> {
  /** All inputs: observed, not observed, and pending ones. */
  readonly considered: number;
  readonly observed: number;
  readonly observedBytes: number;
  /** Of a slot that has not ended. */
  readonly pending: number;
}

export interface ObserverDeps {
  /** Shared by the observers of one uplink. @default one of its own, from the options */
  readonly budget?: SlidingBudget;
  /**
   * What is uploaded in place of a payload, at most as large; undefined withholds the input. An error withholds it, too.
   * Called for the chosen inputs alone. @default the payload as it is
   */
  readonly redact?: (payload: Uint8Array) => Uint8Array | undefined;
}

export interface Observer {
  readonly options: ObserverOptions;
  readonly counts: ObserverCounts;
  /** @returns undefined when the input takes part in the choice, else why it does not. */
  consider(input: LiveInput): NotObserved | undefined;
  /** When `take` has something next; undefined while no input is pending. */
  readonly dueMs: number | undefined;
  /** The observations of the slot that has ended by `nowMs`, charged to the budget; none before that. */
  take(nowMs: number): readonly Observation[];
}

interface Held extends LiveInput {
  readonly sequence: number;
  readonly interest: Interest;
  /** Of the two strata. */
  readonly uniforms: readonly [number, number];
}

interface Slot {
  readonly dueMs: number;
  readonly uniform: PrioritySample<Held>;
  readonly interesting: PrioritySample<Held>;
  /** Inputs of the slot. */
  offered: number;
  pending: number;
}

/**
 * Times come from one clock of the caller; a time before the latest one counts as that.
 * @throws KnowledgeNetError KN_CONFIG for options that break a rule, and a budget whose slots hold no input.
 */
export function createObserver(input: ObserverInput, deps: ObserverDeps = {}): Observer {
  const options = parseObserverOptions(input);
  const { seed, classes, maxInputBytes, slotsPerMinute, interest: weights, floor, ttlMs } = options;
  const quotas = quotasOf(options);
  const budget = deps.budget ?? createSlidingBudget(limitsOf(options));
  if (budget.limits.inputs < quotas.all.inputs || budget.limits.bytes < quotas.all.bytes) {
    throw refuseObserver(
      "a shared budget must hold what one slot may upload",
      `${budget.limits.inputs} inputs and ${budget.limits.bytes} bytes against ${quotas.all.inputs} and ${quotas.all.bytes}`,
      "raise it, or lower the budget of the observer",
    );
  }
  const redact = deps.redact ?? ((payload: Uint8Array) => payload);
  const meter = createInterestMeter(classes);
  const draws = randomDraws(seed);
  const counts = {
    ...(Object.fromEntries(NOT_OBSERVED.map((cause) => [cause, 0])) as Record<NotObserved, number>),
    considered: 0,
    observed: 0,
    observedBytes: 0,
  };
  let slot: Slot | undefined;
  let latestMs = -Infinity;

  const openSlot = (): Slot => ({
    dueMs: latestMs + MINUTE_MS / slotsPerMinute,
    uniform: createPrioritySample(quotas.uniform),
    interesting: createPrioritySample(quotas.interesting),
    offered: 0,
    pending: 0,
  });
  const samplingWeight = ({ interest, candidateLogits }: Held): number => {
    const { disagreement, uncertainty, novelty } = interest;
    if (candidateLogits !== undefined) return disagreement === 1 ? 1 : floor; // 1: another class
    const all = weights.disagreement + weights.uncertainty + weights.novelty;
    if (all === 0) return 1;
    const sum = weights.disagreement * disagreement + weights.uncertainty * uncertainty + weights.novelty * novelty;
    return floor + ((1 - floor) * sum) / all;
  };
  const leave = (cause: NotObserved): NotObserved => {
    counts[cause] += 1;
    return cause;
  };
  /** The payload to upload, counted; undefined where there is none. */
  const redacted = (held: Held, nowMs: number): Uint8Array | undefined => {
    if (nowMs >= held.atMs + ttlMs) {
      leave("expired");
      return undefined;
    }
    try {
      const payload = redact(held.payload);
      if (payload !== undefined && payload.length <= held.payload.length) return payload;
      leave(payload === undefined ? "withheld" : "redactionFailed");
    } catch {
      leave("redactionFailed");
    }
    return undefined;
  };

  return {
    options,
    get counts() {
      return { ...counts, pending: slot?.pending ?? 0 };
    },
    get dueMs() {
      return slot === undefined ? undefined : Math.max(slot.dueMs, latestMs);
    },
    consider(live) {
      counts.considered += 1;
      latestMs = Math.max(latestMs, live.atMs);
      const { payload, logits, candidateLogits } = live;
      if (payload.length > maxInputBytes) return leave("tooLarge");
      const isShaped =
        logits.length === classes && (candidateLogits === undefined || candidateLogits.length === classes);
      if (payload.length === 0 || !isShaped) return leave("invalid");
      slot ??= openSlot();
      slot.offered += 1;
      slot.pending += 1;
      const held: Held = {
        ...live,
        sequence: counts.considered - 1,
        interest: meter.measure(logits, candidateLogits),
        uniforms: [draws.uniform(), draws.uniform()],
      };
      const bytes = payload.length;
      // What is out of the uniform stratum for good is the rest, of which the other one is a sample.
      for (const rest of slot.uniform.offer({ item: held, weight: 1, bytes }, held.uniforms[0])) {
        const weighted = { item: rest, weight: samplingWeight(rest), bytes: rest.payload.length };
        const out = slot.interesting.offer(weighted, rest.uniforms[1]);
        counts.notChosen += out.length;
        slot.pending -= out.length;
      }
      return undefined;
    },
    take(nowMs) {
      latestMs = Math.max(latestMs, nowMs);
      if (slot === undefined || latestMs < slot.dueMs) return [];
      const room = budget.room(latestMs);
      if (room.inputs < quotas.all.inputs || room.bytes < quotas.all.bytes) {
        // Another observer has spent it. Less than the quota would leave out the largest inputs: the slot goes on.
        const laterMs = budget.nextRoomMs() ?? latestMs;
        slot = { ...slot, dueMs: laterMs };
        return [];
      }
      const share = options.uniformShare;
      const { offered } = slot;
      const strata = [
        ...slot.uniform.taken.map(({ item }, _, { length }) => {
          // Bytes never decide here: a simple random sample, whose share varies less than the threshold.
          const inclusion = length / offered;
          return { item, inclusion, stratum: "uniform" as const, weight: share / inclusion + (1 - share) };
        }),
        ...slot.interesting.taken.map((taken) => ({
          ...taken,
          stratum: "interesting" as const,
          weight: (1 - share) / taken.inclusion,
        })),
      ];
      slot = undefined;
      const observations: Observation[] = [];
      for (const { item, stratum, inclusion, weight } of strata) {
        const payload = redacted(item, latestMs);
        if (payload === undefined) continue;
        const { atMs, sequence, interest } = item;
        observations.push({ payload, atMs, expiresAtMs: atMs + ttlMs, sequence, stratum, inclusion, weight, interest });
      }
      const bytes = observations.reduce((sum, { payload }) => sum + payload.length, 0);
      if (observations.length > 0) budget.spend({ atMs: latestMs, inputs: observations.length, bytes });
      counts.observed += observations.length;
      counts.observedBytes += bytes;
      return observations.sort((one, other) => one.sequence - other.sequence);
    },
  };
}

/** For a budget that several observers share, or that goes on after a restart. */
export function limitsOf({ budget }: Pick<ObserverOptions, "budget">): Amount {
  return { inputs: budget.inputsPerMinute, bytes: budget.bytesPerMinute };
}

interface Quotas {
  readonly all: Amount;
  readonly uniform: Amount;
  readonly interesting: Amount;
}

/** Fewer make the variance of priority sampling infinite. */
const LEAST_INTERESTING = 2;

/** Of one slot. The uniform stratum has room for its number of the largest inputs. */
function quotasOf(options: ObserverOptions): Quotas {
  const { slotsPerMinute, uniformShare, maxInputBytes } = options;
  const limits = limitsOf(options);
  const all = { inputs: Math.floor(limits.inputs / slotsPerMinute), bytes: Math.floor(limits.bytes / slotsPerMinute) };
  const least = uniformShare === 1 ? 1 : 1 + LEAST_INTERESTING;
  if (all.inputs < least) {
    throw refuseObserver(
      `budget.inputsPerMinute must be at least ${least} for each slot`,
      `${limits.inputs} in ${slotsPerMinute} slots`,
      "raise it, or lower slotsPerMinute",
    );
  }
  if (all.bytes < least * maxInputBytes) {
    throw refuseObserver(
      `budget.bytesPerMinute must be at least ${least} times maxInputBytes for each slot`,
      `${limits.bytes} in ${slotsPerMinute} slots, inputs up to ${maxInputBytes} bytes`,
      "raise it, or lower slotsPerMinute",
    );
  }
  const uniformInputs = Math.max(
    1,
    Math.min(Math.round(all.inputs * uniformShare), Math.floor((all.bytes * uniformShare) / maxInputBytes)),
  );
  const uniform = { inputs: uniformInputs, bytes: uniformInputs * maxInputBytes };
  const interesting = { inputs: all.inputs - uniform.inputs, bytes: all.bytes - uniform.bytes };
  return { all, uniform, interesting: uniformShare === 1 ? { inputs: 0, bytes: 0 } : interesting };
}
