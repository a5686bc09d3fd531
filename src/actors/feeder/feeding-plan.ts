/**
 * What the feeder publishes, as a pure function of the sequence number: training batches epoch by epoch, evaluations
 * in between and at the end of each epoch. So a position is all that a resumed run needs.
 */
import { type AugmentationOptions, epochOrder, viewOf } from "../../data/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { Phase } from "../../messages/index.ts";

export interface FeedingPlanOptions {
  readonly trainingSamples: number;
  readonly testSamples: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
  /** Training steps between two evaluations within an epoch; undefined: none. */
  readonly evaluateEverySteps?: number;
  /** Samples of an evaluation within an epoch: the first ones of the test set. */
  readonly evaluationSamples: number;
  readonly evaluationBatchSize: number;
  /** Shows another view of the samples in each epoch. @default as they are */
  readonly augmentation?: AugmentationOptions;
  /** Passes over the samples in each epoch: few samples are not measured and saved after every few steps. @default 1 */
  readonly passesPerEpoch?: number;
  /** Batches for batch norm's statistics before the first step. @default 0 */
  readonly recalibrateBatches?: number;
  /** Sequence after which it begins: where a phase before has ended. @default 0 */
  readonly startAfter?: number;
}

export interface FeedItem {
  readonly phase: Phase;
  readonly sequence: number;
  /** Epoch, counted from 0. */
  readonly epoch: number;
  /** Training step, counted from 1; in evaluation the last one before it. */
  readonly step: number;
  /** Evaluation, counted from 1; 0 in training. */
  readonly evaluation: number;
  /** Samples of the training or, in evaluation, of the validation split. */
  readonly indices: ArrayLike<number>;
  /** As which view they are shown; 0: as they are. */
  readonly view: number;
}

export interface FeedingPlan {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Samples of evaluation `evaluation`, counted from 1. */
  samplesOfEvaluation(evaluation: number): number;
  /** Epochs that are over when everything up to `sequence` is. */
  epochsAt(sequence: number): number;
  /** Whether an epoch ends with `sequence`. */
  endsEpoch(sequence: number): boolean;
  /** @throws RangeError outside firstSequence to lastSequence. */
  itemAt(sequence: number): FeedItem;
}

/** A stretch of an epoch: training steps, or the batches of one evaluation. */
interface Stretch {
  readonly phase: "train" | "evaluate";
  /** Position of its first item within the epoch. */
  readonly from: number;
  readonly items: number;
  /** Training steps of this epoch before it. */
  readonly stepsBefore: number;
  /** Evaluations of this epoch up to and with it. */
  readonly evaluations: number;
  readonly samples: number;
}

/** @throws KnowledgeNetError KN_CONFIG when there are fewer training samples than one batch holds. */
export function createFeedingPlan(options: FeedingPlanOptions): FeedingPlan {
  const { trainingSamples, testSamples, batchSize, epochs, seed, evaluateEverySteps, evaluationBatchSize } = options;
  const { augmentation, recalibrateBatches = 0, startAfter = 0, passesPerEpoch = 1 } = options;
  // The last, smaller batch is left out: batch norm's statistics and the rate's schedule assume equal ones.
  const stepsPerPass = Math.floor(trainingSamples / batchSize);
  const stepsPerEpoch = stepsPerPass * passesPerEpoch;
  if (stepsPerEpoch === 0) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "plan the batches",
      rule: `training.batchSize must not exceed the ${trainingSamples} training samples`,
      value: String(batchSize),
    });
  }
  const partial = Math.min(options.evaluationSamples, testSamples);
  const stretches: Stretch[] = [];
  const add = (phase: Stretch["phase"], items: number, stepsBefore: number, evaluations: number, samples = 0): void => {
    const previous = stretches.at(-1);
    stretches.push({
      phase,
      from: previous === undefined ? 0 : previous.from + previous.items,
      items,
      stepsBefore,
      evaluations,
      samples,
    });
  };
  let evaluations = 0;
  for (let done = 0; done < stepsPerEpoch; ) {
    const steps = Math.min(evaluateEverySteps ?? stepsPerEpoch, stepsPerEpoch - done);
    add("train", steps, done, evaluations);
    done += steps;
    evaluations += 1;
    const samples = done === stepsPerEpoch ? testSamples : partial;
    add("evaluate", Math.ceil(samples / evaluationBatchSize), done, evaluations, samples);
  }
  const evaluationsPerEpoch = evaluations;
  const itemsPerEpoch = stretches.reduce((sum, { items }) => sum + items, 0);
  /** Sequence after which the first epoch begins. */
  const before = startAfter + recalibrateBatches;
  const firstSequence = startAfter + 1;
  const lastSequence = before + itemsPerEpoch * epochs;
  let order: { readonly pass: number; readonly indices: Uint32Array } | undefined;

  /** Batch `position` of an epoch, counted from 0. */
  const batchOf = (epoch: number, position: number): Pick<FeedItem, "indices" | "view"> => {
    const pass = epoch * passesPerEpoch + Math.floor(position / stepsPerPass);
    if (order?.pass !== pass) order = { pass, indices: epochOrder(trainingSamples, seed, pass) };
    const first = (position % stepsPerPass) * batchSize;
    return {
      indices: order.indices.subarray(first, first + batchSize),
      view: augmentation === undefined ? 0 : viewOf(pass, augmentation),
    };
  };

  return {
    stepsPerEpoch,
    totalSteps: stepsPerEpoch * epochs,
    firstSequence,
    lastSequence,
    samplesOfEvaluation(evaluation) {
      return evaluation % evaluationsPerEpoch === 0 ? testSamples : partial;
    },
    epochsAt: (sequence) => Math.max(0, Math.floor((sequence - before) / itemsPerEpoch)),
    endsEpoch: (sequence) => sequence > before && (sequence - before) % itemsPerEpoch === 0,
    itemAt(sequence) {
      if (sequence < firstSequence || sequence > lastSequence)
        throw new RangeError(`sequence ${sequence} is outside ${firstSequence} to ${lastSequence}`);
      if (sequence <= before) {
        const position = (sequence - firstSequence) % stepsPerEpoch;
        return { phase: "recalibrate", sequence, epoch: 0, step: 0, evaluation: 0, ...batchOf(0, position) };
      }
      const epoch = Math.floor((sequence - before - 1) / itemsPerEpoch);
      const position = (sequence - before - 1) % itemsPerEpoch;
      const stretch = stretches.findLast(({ from }) => from <= position) as Stretch;
      const offset = position - stretch.from;
      if (stretch.phase === "train") {
        return {
          phase: "train",
          sequence,
          epoch,
          step: epoch * stepsPerEpoch + stretch.stepsBefore + offset + 1,
          evaluation: 0,
          ...batchOf(epoch, stretch.stepsBefore + offset),
        };
      }
      const first = offset * evaluationBatchSize;
      const size = Math.min(evaluationBatchSize, stretch.samples - first);
      return {
        phase: "evaluate",
        sequence,
        epoch,
        step: epoch * stepsPerEpoch + stretch.stepsBefore,
        evaluation: epoch * evaluationsPerEpoch + stretch.evaluations,
        indices: Array.from({ length: size }, (_, row) => first + row),
        view: 0,
      };
    },
  };
}
