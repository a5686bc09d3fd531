/** What a run leaves behind: results.json and the table at the end. */
import type { RunRecord } from "../actors/coordinator/index.ts";
import type { SliceDescription } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import { blockActor, boundariesOf, gradientActor, type TrainingSpec } from "../run-spec/index.ts";
import type { PhaseRunEnd } from "./phase-run.ts";

export interface RunResults {
  readonly run: string;
  readonly outcome: string;
  /** Share of the validation set (the test set where none is held out), 0 to 1; null before the first whole evaluation. */
  readonly accuracy: number | null;
  readonly epochs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly stepsPerSecond: number;
  readonly backend: string;
  readonly dataset: string;
  readonly bus: string;
  readonly seed: number;
  readonly blocks: readonly BlockResult[];
  readonly boundaries: readonly BoundaryResult[];
  readonly evaluations: readonly {
    readonly step: number;
    readonly samples: number;
    readonly accuracy: number;
    readonly loss: number;
    /** Since the first batch, s. */
    readonly seconds: number;
  }[];
  /** Changes of way at `auto` boundaries. */
  readonly switches: RunRecord["switches"];
}

export interface BlockResult {
  readonly id: string;
  readonly layers: readonly string[];
  readonly parameters: number;
  readonly backend: string;
  /** Sequences that it finished, evaluation included. */
  readonly consumed: number;
  /** Updates of its weights. */
  readonly applied: number;
  /** Training batches that its weights do not include, by cause. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Training batches published to it: applied + skipped. */
  readonly published: number;
  readonly drops: Readonly<Record<string, number>>;
}

export interface BoundaryResult {
  readonly index: number;
  readonly after: string;
  readonly shape: readonly number[];
  readonly source: string;
  /** Measured: all frames for training, by training steps. */
  readonly activationBytesPerStep: number;
  readonly gradientBytesPerStep: number;
  /** Predicted gradients, where the gradient model is on another node. */
  readonly syntheticBytesPerStep: number;
  /** Last measured quality of the gradient model. */
  readonly cosine?: number;
  readonly relativeError?: number;
  readonly stalenessSteps?: number;
}

export interface ResultsContext {
  readonly run: string;
  readonly spec: TrainingSpec;
  readonly slices: readonly SliceDescription[];
  readonly dataset: Dataset;
  readonly bus: string;
  /** Steps done before this process took the run up. */
  readonly stepsBefore: number;
  /** Of the first batch, ms since 1970. */
  readonly startedMs: number;
}

export function resultsOf(end: PhaseRunEnd, context: ResultsContext): RunResults {
  const { spec, slices, dataset } = context;
  const { record } = end;
  const whole = record.evaluations.filter(({ samples }) => samples === dataset.validation.count).at(-1);
  const backendName = (index: number): string => {
    const backend = end.backends[index] ?? end.backends[0];
    return backend === undefined ? "unknown" : backend.name;
  };
  return {
    run: context.run,
    outcome: end.outcome,
    accuracy: whole?.accuracy ?? null,
    epochs: record.epochs,
    steps: record.step,
    seconds: round(end.seconds, 3),
    stepsPerSecond: round((record.step - context.stepsBefore) / Math.max(end.seconds, 1e-9), 3),
    backend: [...new Set(end.backends.map(({ name }) => name))].join("+") || "unknown",
    dataset: dataset.fingerprint,
    bus: context.bus,
    seed: spec.seed,
    blocks: slices.map(({ layers, parameters }, index) => {
      const id = blockActor(index);
      const progress = record.progress[id];
      return {
        id,
        layers,
        parameters,
        backend: backendName(index),
        consumed: progress?.consumed ?? 0,
        applied: progress?.applied ?? 0,
        skipped: progress?.skipped ?? {},
        published: progress?.step ?? 0,
        drops: progress?.drops ?? {},
      };
    }),
    boundaries: boundariesOf(spec).map(({ index, name, source }) => {
      const model = record.progress[gradientActor(index)];
      const perStep = (actor: string, plane: string): number => {
        const progress = record.progress[actor];
        return Math.round((progress?.sentBytes[plane] ?? 0) / Math.max(1, progress?.step ?? 0));
      };
      return {
        index,
        after: name,
        shape: slices[index]?.outputShape ?? [],
        source,
        activationBytesPerStep: perStep(blockActor(index), "act"),
        gradientBytesPerStep: perStep(blockActor(index + 1), "grad"),
        syntheticBytesPerStep: perStep(gradientActor(index), "syn"),
        ...(model?.quality === undefined
          ? {}
          : {
              cosine: round(model.quality.cosine, 4),
              relativeError: round(model.quality.relativeError, 4),
              stalenessSteps: model.stalenessSteps,
            }),
      };
    }),
    evaluations: record.evaluations.map(({ step, samples, accuracy, loss, atMs }) => ({
      step,
      samples,
      accuracy,
      loss: round(loss, 5),
      seconds: round((atMs - context.startedMs) / 1000, 1),
    })),
    switches: record.switches,
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
