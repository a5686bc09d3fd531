/** What a run leaves behind: results.json and the table at the end. */
import type { SliceDescription } from "../../compute/index.ts";
import type { Dataset } from "../../data/index.ts";
import { encodedTensorBytes } from "../../messages/index.ts";
import { boundariesOf, type TrainingSpec } from "../../spec/index.ts";
import { wireCodec } from "./compose-actors.ts";
import type { TrainingRunEnd } from "./training-run.ts";

export interface RunResults {
  readonly run: string;
  readonly outcome: string;
  /** Share of the test set, 0 to 1; null before the first whole evaluation. */
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
  }[];
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
  readonly drops: Readonly<Record<string, number>>;
}

export interface BoundaryResult {
  readonly index: number;
  readonly after: string;
  readonly shape: readonly number[];
  readonly source: string;
  readonly activationBytesPerStep: number;
  readonly gradientBytesPerStep: number;
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
}

export function resultsOf(end: TrainingRunEnd, context: ResultsContext): RunResults {
  const { spec, slices, dataset } = context;
  const { record } = end;
  const whole = record.evaluations.filter(({ samples }) => samples === dataset.test.count).at(-1);
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
      const progress = record.progress[`block-${index}`];
      return {
        id: `block-${index}`,
        layers,
        parameters,
        backend: backendName(index),
        consumed: progress?.consumed ?? 0,
        applied: progress?.applied ?? 0,
        drops: progress?.drops ?? {},
      };
    }),
    boundaries: boundariesOf(spec).map(({ index, name, source }) => {
      const shape = slices[index]?.outputShape ?? [];
      const batch = [spec.training.batchSize, ...shape];
      const model = record.progress[`gradient-${index}`];
      return {
        index,
        after: name,
        shape,
        source,
        activationBytesPerStep: encodedTensorBytes(batch, "f32", wireCodec(spec.codecs.activation)),
        gradientBytesPerStep: encodedTensorBytes(batch, "f32", wireCodec(spec.codecs.gradient)),
        ...(model?.quality === undefined
          ? {}
          : {
              cosine: round(model.quality.cosine, 4),
              relativeError: round(model.quality.relativeError, 4),
              stalenessSteps: model.stalenessSteps,
            }),
      };
    }),
    evaluations: record.evaluations.map(({ step, samples, accuracy, loss }) => ({
      step,
      samples,
      accuracy,
      loss: round(loss, 5),
    })),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
