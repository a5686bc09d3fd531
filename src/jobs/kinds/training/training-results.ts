/** Content of results.json of a training run. */
import type { RunRecord } from "../../../actors/coordinator/index.ts";
import type { SliceDescription } from "../../../compute/index.ts";
import {
  blockActor,
  boundariesOf,
  type BoundarySpec,
  gradientActor,
  type TrainingSpec,
} from "../../../run-spec/index.ts";
import { measuredOutcome } from "../../final-evaluation.ts";
import type { JobResults, ResultsContext } from "../../job-kind.ts";
import type { PhaseEnd, PhaseRunEnd } from "../../run-parts.ts";
import { round } from "../../text.ts";

export interface TrainingResults extends JobResults {
  readonly epochs: number;
  readonly steps: number;
  readonly stepsPerSecond: number;
  readonly backend: string;
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
  /** Changes of the gradient source at `auto` boundaries. */
  readonly switches: RunRecord["switches"];
}

export interface BlockResult {
  readonly id: string;
  readonly layers: readonly string[];
  readonly parameters: number;
  readonly backend: string;
  /** Sequence numbers that it finished, evaluation included. */
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
  /** Predicted gradients; 0 where the gradient model is on the node of its block. */
  readonly syntheticBytesPerStep: number;
  /** Last measured quality of the gradient model. */
  readonly cosine?: number;
  readonly relativeError?: number;
  readonly stalenessSteps?: number;
}

/** @param ends the one phase of the run. */
export function trainingResultsOf(
  ends: readonly PhaseEnd[],
  _before: unknown,
  context: ResultsContext<TrainingSpec>,
): TrainingResults {
  const last = ends.at(-1);
  if (last === undefined) throw new RangeError("no phase has ended yet");
  const { end, stepsBefore, startedMs } = last;
  const { spec, slices, dataset } = context;
  const { record } = end;
  const { outcome, evaluation } = measuredOutcome(end, dataset.validation.count);
  return {
    run: context.run,
    kind: "training",
    outcome,
    accuracy: evaluation?.accuracy ?? null,
    epochs: record.epochs,
    steps: record.step,
    seconds: round(end.seconds, 3),
    stepsPerSecond: round((record.step - stepsBefore) / Math.max(end.seconds, 1e-9), 3),
    backend: [...new Set(end.backends.map(({ name }) => name))].join("+") || "unknown",
    dataset: dataset.fingerprint,
    bus: context.bus,
    seed: spec.seed,
    blocks: slices.map((slice, index) => blockResult(end, slice, index)),
    boundaries: boundariesOf(spec).map((boundary) => boundaryResult(record, boundary, slices)),
    evaluations: record.evaluations.map(({ step, samples, accuracy, loss, atMs }) => ({
      step,
      samples,
      accuracy,
      loss: round(loss, 5),
      seconds: round((atMs - startedMs) / 1000, 1),
    })),
    switches: record.switches,
  };
}

function blockResult(
  { record, backends }: PhaseRunEnd,
  { layers, parameters }: SliceDescription,
  index: number,
): BlockResult {
  const id = blockActor(index);
  const progress = record.progress[id];
  return {
    id,
    layers,
    parameters,
    backend: (backends[index] ?? backends[0])?.name ?? "unknown",
    consumed: progress?.consumed ?? 0,
    applied: progress?.applied ?? 0,
    skipped: progress?.skipped ?? {},
    published: progress?.step ?? 0,
    drops: progress?.drops ?? {},
  };
}

function boundaryResult(
  { progress }: RunRecord,
  { index, name, source }: BoundarySpec,
  slices: readonly SliceDescription[],
): BoundaryResult {
  const model = progress[gradientActor(index)];
  const perStep = (actor: string, plane: string): number => {
    const sent = progress[actor]?.sentBytes[plane] ?? 0;
    return Math.round(sent / Math.max(1, progress[actor]?.step ?? 0));
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
}
