/**
 * Steps per second of each gradient source on four nodes of half a core, without delay and with some on every hop,
 * beside
 * `locked` and beside plain training of the uncut net on the same two cores. Ratios of one run.
 */
import { createComputeWorker, openBlock } from "../../src/compute/index.ts";
import {
  GRADIENT_SOURCES,
  type GradientSourceKind,
  parseTrainingSpec,
  type TrainingSpec,
} from "../../src/run-spec/index.ts";
import type { Dataset } from "../../src/data/index.ts";
import { type FleetScene, openFleetScene } from "./fleet-scene.ts";

export interface FleetRate {
  /** The source, and where its gradient models are when not beside their blocks. */
  readonly source: string;
  /** On every hop, one way, ms. */
  readonly delayMs: number;
  readonly stepsPerSecond: number;
  /** Rate over `locked`'s at the same delay. */
  readonly overLocked: number;
  /** Rate over the source's own without delay. */
  readonly overUndelayed: number;
}

export interface FleetRates {
  readonly coresPerNode: number;
  readonly measuredSteps: number;
  /** Uncut, one process, as many cores as the nodes have together. */
  readonly plainStepsPerSecond: number;
  readonly rates: readonly FleetRate[];
}

export interface FleetRatesOptions {
  readonly spec: string;
  /** Overrides for every source. */
  readonly set: readonly string[];
  readonly delaysMs: readonly number[];
  readonly write: (line: string) => void;
}

const NODES = 4;
const CORES_PER_NODE = 0.5;
/** `locked` first: the others are compared with it. */
const SETTINGS: readonly {
  readonly source: string;
  readonly kind: GradientSourceKind;
  readonly set: readonly string[];
}[] = [
  ...[...GRADIENT_SOURCES]
    .sort((a, b) => Number(b === "locked") - Number(a === "locked"))
    .map((kind) => ({ source: kind, kind, set: [] })),
  {
    source: "synthetic, M 0 beside block 3",
    kind: "synthetic",
    set: [...[0, 1, 2, 3].map((index) => `placement.block-${index}=node-${index + 1}`), "placement.gradient-0=node-4"],
  },
];
/** Not measured: backends warm up, queues fill. */
const WARM_UP_STEPS = 15;
/**
 * Over a slow link: until the first returned gradients are used, a block that does not wait has only forwards to do.
 */
const WARM_UP_STEPS_DELAYED = 80;
const MEASURED_STEPS = 40;
/** Of `locked` over a slow link: each takes a second. */
const MEASURED_LOCKED_STEPS = 12;

export async function measureFleetRates({ spec: text, set, delaysMs, write }: FleetRatesOptions): Promise<FleetRates> {
  await using scene = await openFleetScene({
    nodes: NODES,
    cores: CORES_PER_NODE,
    parse: (settings) => parseTrainingSpec(text, { file: "spec", set: settings }),
  });
  const plainStepsPerSecond = await measurePlain(scene.parse(set), scene.dataset);
  write(`plain, uncut, one process: ${plainStepsPerSecond.toFixed(2)} steps/s`);
  const rates: FleetRate[] = [];
  for (const delayMs of delaysMs) {
    await scene.delay({ latencyMs: delayMs });
    let locked = 0;
    for (const { source, kind, set: extra } of SETTINGS) {
      const stepsPerSecond = await measureSource(scene, kind, [...set, ...extra], delayMs);
      if (source === "locked") locked = stepsPerSecond;
      const own = rates.find((rate) => rate.source === source && rate.delayMs === 0);
      const rate: FleetRate = {
        source,
        delayMs,
        stepsPerSecond,
        overLocked: stepsPerSecond / locked,
        overUndelayed: stepsPerSecond / (own?.stepsPerSecond ?? stepsPerSecond),
      };
      rates.push(rate);
      write(
        `${delayMs} ms, ${source}: ${stepsPerSecond.toFixed(2)} steps/s, ${rate.overLocked.toFixed(2)} x locked, ${rate.overUndelayed.toFixed(2)} of its own without delay`,
      );
    }
  }
  return { coresPerNode: CORES_PER_NODE, measuredSteps: MEASURED_STEPS, plainStepsPerSecond, rates };
}

async function measureSource(
  scene: FleetScene<TrainingSpec>,
  source: GradientSourceKind,
  set: readonly string[],
  delayMs: number,
): Promise<number> {
  const isSlow = source === "locked" && delayMs > 0;
  const [warmUp, measured] = isSlow
    ? [3, MEASURED_LOCKED_STEPS]
    : [delayMs > 0 ? WARM_UP_STEPS_DELAYED : WARM_UP_STEPS, MEASURED_STEPS];
  const run = await scene.run(scene.parse([...set, `gradients.source=${source}`]));
  await run.reach(warmUp);
  const startedMs = scene.clock.now();
  await run.reach(warmUp + measured);
  const seconds = (scene.clock.now() - startedMs) / 1000;
  await run.end();
  return measured / seconds;
}

/** The uncut net in one worker: the baseline without a fleet. */
async function measurePlain(spec: TrainingSpec, dataset: Dataset): Promise<number> {
  await using worker = await createComputeWorker({ backend: "auto" });
  const { batchSize, optimizer } = spec.training;
  const block = await openBlock(worker, "plain", {
    inputShape: spec.model.input,
    layers: spec.model.layers,
    seed: spec.seed,
    optimizer,
    learningRate: { peak: optimizer.learningRate, schedule: "constant", warmup: 0, totalSteps: 1 },
    source: "task-loss",
    wantsInputGradient: false,
    retain: { batches: 1, bytes: 2 ** 30 },
    classes: spec.model.classes,
    totalSteps: 1,
    sources: spec.gradients,
    isGradientModelElsewhere: false,
  });
  const indices = Array.from({ length: batchSize }, (_, index) => index);
  const step = async (number: number): Promise<void> => {
    const { samples, labels } = dataset.train.batch(indices);
    await block.train({ step: number, input: samples, labels }, () => undefined);
  };
  for (let number = 1; number <= WARM_UP_STEPS; number += 1) await step(number);
  const started = performance.now();
  for (let number = 1; number <= MEASURED_STEPS; number += 1) await step(WARM_UP_STEPS + number);
  return (1000 * MEASURED_STEPS) / (performance.now() - started);
}
