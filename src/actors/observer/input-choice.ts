/** Chooses observations among the inputs of messages: each input is counted once, by what became of it. Pure. */
import {
  createObserver,
  createSlidingBudget,
  NOT_OBSERVED,
  type Observation,
  type Observer,
} from "../../continuous/observation/index.ts";
import {
  isAllFinite,
  type InputTensor,
  type LiveInputs,
  type ObservationComparison,
  type ObservedInput,
} from "../../messages/index.ts";
import type { CandidateUpdates } from "./candidate-updates.ts";
import { createComparisonCounts } from "./comparison-counts.ts";
import type { ObserverActorDeps, ObserverActorOptions } from "./observer-options.ts";

export type InputChoiceOptions = Pick<
  ObserverActorOptions,
  "id" | "epoch" | "seed" | "budget" | "slotsPerMinute" | "uniformShare" | "ttlMs"
> & { readonly model: string };

/** What the live release computes. */
export interface ObservedNetwork {
  /** [...sample]. */
  readonly input: readonly number[];
  readonly classes: number;
}

const REFUSED = ["unknownNetwork", "otherModel", "otherShape", "networkChanged"] as const;
/** What became of an input: chosen, or the reason why not. */
export type InputOutcome = (typeof NOT_OBSERVED)[number] | (typeof REFUSED)[number] | "observed";

export interface InputChoice {
  /** Inputs, by outcome. */
  readonly counts: Readonly<Record<InputOutcome, number>>;
  /** Inputs of a slot that has not ended. */
  readonly pending: number;
  /** Inputs are those of this network from now on. @throws KnowledgeNetError KN_CONFIG when the budget holds none of them */
  setNetwork(network: ObservedNetwork): void;
  /** Copies what may be chosen. @param atMs now */
  consider(inputs: LiveInputs, atMs: number): void;
  /** When `take` has something next, ms since 1970. */
  readonly dueMs: number | undefined;
  /** The observations of the slot that has ended by `nowMs`, redacted and numbered. */
  take(nowMs: number): readonly ObservedInput[];
}

export interface InputChoiceDeps extends Pick<ObserverActorDeps, "redact">, CandidateUpdates {}

/** What an observation has besides what the observer knows. */
interface InputFacts {
  readonly release: number;
  readonly dtype: InputTensor["dtype"];
  /** [classes]. */
  readonly logits: Float32Array;
  readonly comparison: ObservationComparison | undefined;
}

export function createInputChoice(
  options: InputChoiceOptions,
  { redact = (payload) => payload, updateOf }: InputChoiceDeps,
): InputChoice {
  const { model, id, epoch, seed, budget, slotsPerMinute, uniformShare, ttlMs } = options;
  const shared = createSlidingBudget({ inputs: budget.inputsPerMinute, bytes: budget.bytesPerMinute });
  const refused = Object.fromEntries(REFUSED.map((cause) => [cause, 0])) as Record<(typeof REFUSED)[number], number>;
  /** Of the observers of networks before. */
  const before = Object.fromEntries(NOT_OBSERVED.map((cause) => [cause, 0])) as Record<string, number>;
  /** By the payload: what is not chosen is forgotten with it. */
  const factsOf = new WeakMap<Uint8Array, InputFacts>();
  const comparisons = createComparisonCounts();
  let network: ObservedNetwork | undefined;
  let observer: Observer | undefined;
  let observedBefore = 0;
  let next = 0;

  const redactOwn = (payload: Uint8Array): Uint8Array | undefined => {
    const facts = factsOf.get(payload) as InputFacts;
    const redacted: unknown = redact(payload);
    if (redacted === undefined) return undefined;
    if (!(redacted instanceof Uint8Array) || redacted.length !== payload.length) {
      throw new RangeError(`Cannot upload what was redacted: it must be ${payload.length} bytes, in a Uint8Array`);
    }
    const own = new Uint8Array(redacted); // the hook may return the same array for each
    if (facts.dtype === "f32" && !isAllFinite(new Float32Array(own.buffer))) {
      throw new RangeError("Cannot upload what was redacted: every value must be finite");
    }
    factsOf.set(own, facts);
    return own;
  };

  const compare = (update: number | undefined, live: Float32Array, candidate: Float32Array | undefined) =>
    update === undefined || candidate === undefined
      ? undefined
      : comparisons.count(update, classOf(live) !== classOf(candidate));

  const leaveNetwork = (): void => {
    if (observer === undefined) return;
    const { counts } = observer;
    for (const cause of NOT_OBSERVED) before[cause] = (before[cause] ?? 0) + counts[cause];
    observedBefore += counts.observed;
    refused.networkChanged += counts.pending;
  };

  const observedOf = ({ payload, atMs, expiresAtMs, ...chosen }: Observation): ObservedInput => {
    const { release, dtype, logits, comparison } = factsOf.get(payload) as InputFacts;
    const shape = network?.input ?? [];
    const input: InputTensor =
      dtype === "u8"
        ? { dtype, shape, values: payload }
        : { dtype, shape, values: new Float32Array(payload.buffer, payload.byteOffset, payload.length / 4) };
    const { stratum, inclusion, weight, interest } = chosen;
    return {
      ...{ model, observer: id, epoch, number: next++, atMs, expiresAtMs, release },
      ...{ stratum, inclusion, weight, interest, input },
      logits: { dtype: "f32", shape: [logits.length], values: logits },
      ...(comparison === undefined ? {} : { comparison }),
    };
  };

  return {
    get counts() {
      const now = observer?.counts;
      const causes = NOT_OBSERVED.map((cause) => [cause, (before[cause] ?? 0) + (now?.[cause] ?? 0)]);
      return {
        ...(Object.fromEntries(causes) as Record<(typeof NOT_OBSERVED)[number], number>),
        ...refused,
        observed: observedBefore + (now?.observed ?? 0),
      };
    },
    get pending() {
      return observer?.counts.pending ?? 0;
    },
    get dueMs() {
      return observer?.dueMs;
    },
    setNetwork(live) {
      if (network !== undefined && isSame(network, live)) return;
      const maxInputBytes =
        Float32Array.BYTES_PER_ELEMENT * live.input.reduce((product, extent) => product * extent, 1);
      const successor = createObserver(
        { seed, classes: live.classes, budget, maxInputBytes, slotsPerMinute, uniformShare, ttlMs },
        { budget: shared, redact: redactOwn },
      );
      leaveNetwork();
      observer = successor;
      network = live;
    },
    consider({ model: named, release, input, logits, candidateLogits, candidateRelease }, atMs) {
      const [samples = 0, ...sample] = input.shape;
      const classes = logits.shape[1] ?? 0;
      if (named !== model) refused.otherModel += samples;
      else if (network === undefined || observer === undefined) refused.unknownNetwork += samples;
      else if (!isSame(network, { input: sample, classes })) refused.otherShape += samples;
      else {
        const update = candidateRelease === undefined ? undefined : updateOf(candidateRelease);
        for (let row = 0; row < samples; row += 1) {
          const payload = bytesOfRow(input, row);
          const own = rowOf(logits, row);
          const candidate = candidateLogits === undefined ? undefined : rowOf(candidateLogits, row);
          const live = { payload, atMs, logits: own };
          const left = observer.consider(candidate === undefined ? live : { ...live, candidateLogits: candidate });
          if (left !== undefined) continue;
          const comparison = compare(update, own, candidate);
          factsOf.set(payload, { release, dtype: input.dtype, logits: own, comparison });
        }
      }
    },
    take: (nowMs) => (observer?.take(nowMs) ?? []).map(observedOf),
  };
}

function isSame(network: ObservedNetwork, other: ObservedNetwork): boolean {
  return network.classes === other.classes && network.input.join() === other.input.join();
}

function classOf(logits: Float32Array): number {
  return logits.indexOf(Math.max(...logits));
}

/** [n, classes] -> [classes], a copy. */
function rowOf({ shape, values }: LiveInputs["logits"], row: number): Float32Array {
  const classes = shape[1] ?? 0;
  return values.slice(row * classes, (row + 1) * classes);
}

/** A copy. */
function bytesOfRow({ shape, values }: InputTensor, row: number): Uint8Array {
  const size = values.byteLength / (shape[0] ?? 1);
  return new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset + row * size, size).slice();
}
