/**
 * What the feeder publishes, as a pure function of the sequence number: training batches epoch by epoch, evaluations
 * in between and at the end of each epoch. So a position is all that a resumed run needs.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { epochOrder } from "../../data/index.ts";

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
}

export interface FeedItem {
  readonly phase: "train" | "evaluate";
  readonly sequence: number;
  /** Epoch, counted from 0. */
  readonly epoch: number;
  /** Training step, counted from 1; in evaluation the last one before it. */
  readonly step: number;
  /** Evaluation, counted from 1; 0 in training. */
  readonly evaluation: number;
  /** Samples of the training or the test split. */
  readonly indices: ArrayLike<number>;
}

export interface FeedingPlan {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly itemsPerEpoch: number;
  readonly totalItems: number;
  /** Samples of evaluation `evaluation`, counted from 1. */
  samplesOfEvaluation(evaluation: number): number;
  /** @throws RangeError outside 1 to totalItems. */
  itemAt(sequence: number): FeedItem;
}

/** A stretch of an epoch: training steps, or the batches of one evaluation. */
interface Stretch {
  readonly phase: FeedItem["phase"];
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
  // The last, smaller batch is left out: batch norm's statistics and the rate's schedule assume equal ones.
  const stepsPerEpoch = Math.floor(trainingSamples / batchSize);
  if (stepsPerEpoch === 0) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "plan the batches",
      rule: `training.batchSize must not exceed the ${trainingSamples} training samples`,
      value: String(batchSize),
    });
  }
  const partial = Math.min(options.evaluationSamples, testSamples);
  const stretches: Stretch[] = [];
  const add = (
    phase: FeedItem["phase"],
    items: number,
    stepsBefore: number,
    evaluations: number,
    samples = 0,
  ): void => {
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
  const totalItems = itemsPerEpoch * epochs;
  let order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;

  return {
    stepsPerEpoch,
    totalSteps: stepsPerEpoch * epochs,
    itemsPerEpoch,
    totalItems,
    samplesOfEvaluation(evaluation) {
      return evaluation % evaluationsPerEpoch === 0 ? testSamples : partial;
    },
    itemAt(sequence) {
      if (sequence < 1 || sequence > totalItems)
        throw new RangeError(`sequence ${sequence} is outside 1 to ${totalItems}`);
      const epoch = Math.floor((sequence - 1) / itemsPerEpoch);
      const position = (sequence - 1) % itemsPerEpoch;
      const stretch = stretches.findLast(({ from }) => from <= position) as Stretch;
      const offset = position - stretch.from;
      if (stretch.phase === "train") {
        if (order?.epoch !== epoch) order = { epoch, indices: epochOrder(trainingSamples, seed, epoch) };
        const first = (stretch.stepsBefore + offset) * batchSize;
        return {
          phase: "train",
          sequence,
          epoch,
          step: epoch * stepsPerEpoch + stretch.stepsBefore + offset + 1,
          evaluation: 0,
          indices: order.indices.subarray(first, first + batchSize),
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
      };
    },
  };
}
