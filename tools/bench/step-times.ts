/**
 * How long each block's step, its forward, and its gradient model's learning take, per backend: the four-layer net,
 * batch 128.
 */
import {
  createComputeWorker,
  type BackendPreference,
  openBlock,
  openGradientModel,
  type SliceDescription,
  type TensorData,
} from "../../src/compute/index.ts";
import type { Dataset } from "../../src/data/index.ts";
import { boundariesOf, layersOfBlocks, type TrainingSpec } from "../../src/run-spec/index.ts";
import { median } from "./median.ts";

export interface StepTimes {
  readonly backend: string;
  readonly version: string;
  readonly batchSize: number;
  readonly blocks: readonly {
    readonly id: string;
    readonly forwardMs: number;
    readonly trainMs: number;
    readonly learnMs: number | null;
  }[];
  /** One step through all blocks and gradient models, one after another, ms. */
  readonly stepMs: number;
}

export interface StepTimesOptions {
  readonly backend: BackendPreference;
  readonly spec: TrainingSpec;
  readonly slices: readonly SliceDescription[];
  readonly dataset: Dataset;
  /** Steps that are measured, after five that are not. */
  readonly steps: number;
}

const WARM_UP_STEPS = 5;

export async function measureStepTimes({
  backend,
  spec,
  slices,
  dataset,
  steps,
}: StepTimesOptions): Promise<StepTimes> {
  await using worker = await createComputeWorker({ backend });
  const learningRate = { peak: 1e-3, totalSteps: steps + WARM_UP_STEPS };
  const layers = layersOfBlocks(spec.model);
  const models = [];
  const blocks = [];
  for (const boundary of boundariesOf(spec)) {
    const options = {
      boundaryShape: slices[boundary.index]?.outputShape ?? [],
      classes: spec.model.classes,
      spec: boundary.gradientModel,
      seed: boundary.index + 1,
      retain: 2,
    };
    models.push(await openGradientModel(worker, `gradient-${boundary.index}`, options, learningRate));
  }
  for (const [index, slice] of slices.entries()) {
    const isLast = index === slices.length - 1;
    const options = {
      inputShape: slice.inputShape,
      layers: layers[index] ?? [],
      seed: spec.seed,
      optimizer: spec.training.optimizer,
      learningRate,
      source: isLast ? ("task-loss" as const) : ("synthetic" as const),
      wantsInputGradient: index > 0,
      retain: { batches: 2, bytes: spec.gradients.retainMiB * 2 ** 20 },
      classes: spec.model.classes,
      totalSteps: steps + WARM_UP_STEPS,
      sources: spec.gradients,
      isGradientModelElsewhere: false,
    };
    blocks.push(await openBlock(worker, `block-${index}`, options, isLast ? undefined : `gradient-${index}`));
  }

  const { batchSize } = spec.training;
  const times = slices.map(() => ({ forward: [] as number[], train: [] as number[], learn: [] as number[] }));
  for (let step = 1; step <= steps + WARM_UP_STEPS; step += 1) {
    const isMeasured = step > WARM_UP_STEPS;
    const { samples, labels } = dataset.train.batch(
      Array.from({ length: batchSize }, (_, row) => (step * batchSize + row) % dataset.train.count),
    );
    let input: TensorData = samples;
    for (const [index, block] of blocks.entries()) {
      const time = times[index];
      const forward = await block.evaluate({ ...input, values: input.values.slice() } as TensorData, labels);
      let activation: TensorData | undefined;
      const trained = await block.train({ step, input, labels }, (output) => {
        activation = output;
      });
      if (isMeasured) {
        time?.forward.push(forward.computeMs);
        time?.train.push(trained.computeMs);
      }
      const before = models[index - 1];
      if (before !== undefined && trained.result.inputGradient !== undefined) {
        const learnt = await before.learn(step, trained.result.inputGradient);
        if (isMeasured) times[index - 1]?.learn.push(learnt.computeMs);
      }
      input = activation ?? input;
    }
  }
  const rows = times.map(({ forward, train, learn }, index) => ({
    id: `block-${index}`,
    forwardMs: median(forward),
    trainMs: median(train),
    learnMs: learn.length === 0 ? null : median(learn),
  }));
  return {
    backend: worker.backend.name,
    version: worker.backend.version,
    batchSize,
    blocks: rows,
    stepMs: rows.reduce((sum, row) => sum + row.trainMs + (row.learnMs ?? 0), 0),
  };
}
