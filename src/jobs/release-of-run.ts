/** What a run gives to a release: its network, cut as it was trained, the weights, and the account of both. Pure. */
import { CLASS_NAMES } from "../data/index.ts";
import { type NamedTensors, partsOf } from "../models/index.ts";
import { type ModelManifest, type RunSpec, signatureOf } from "../run-spec/index.ts";
import type { TrainedNetwork } from "./trained-network.ts";

export interface ReleaseOfRun {
  readonly facts: Omit<ModelManifest, "format" | "model">;
  readonly parts: NamedTensors[];
}

export interface ReleaseOfRunOptions {
  readonly run: string;
  readonly spec: RunSpec;
  readonly network: TrainedNetwork;
  /** Evaluations of the run that are known, for their steps: a checkpoint holds the newest one without its step. */
  readonly evaluations: readonly { readonly evaluation?: number; readonly step: number; readonly accuracy: number }[];
  readonly softwareVersion: string;
  /** ms since 1970. */
  readonly nowMs: number;
}

export function releaseOfRun(options: ReleaseOfRunOptions): ReleaseOfRun {
  const { run, spec, network, softwareVersion, nowMs } = options;
  const { model, manifest, learners, tensors } = network;
  const classNames = CLASS_NAMES[spec.data.dataset];
  const evaluation = evaluationOf(options);
  const image = imageOf(model.input);
  return {
    facts: {
      network: model,
      ...signatureOf(model),
      ...(image === undefined ? {} : { image }),
      classNames:
        classNames.length === model.classes
          ? [...classNames]
          : Array.from({ length: model.classes }, (_, at) => String(at)),
      origin: {
        run,
        kind: spec.kind,
        attempt: manifest.attempt,
        generation: manifest.generation,
        phase: manifest.phase,
        blocks: learners,
        softwareVersion,
      },
      ...(evaluation === undefined ? {} : { evaluation }),
      createdAt: new Date(nowMs).toISOString(),
    },
    parts: partsOf(model, tensors),
  };
}

/** Exact: an evaluation changes no weights, so the same one has the same accuracy wherever it is listed. */
function evaluationOf({ network, evaluations }: ReleaseOfRunOptions): ModelManifest["evaluation"] {
  if (network.evaluation === undefined) return undefined;
  const { evaluation, accuracy, samples } = network.evaluation;
  const listed = evaluations.findLast(
    (each) => each.step <= network.step && (each.evaluation ?? evaluation) === evaluation && each.accuracy === accuracy,
  );
  return { accuracy, samples, step: listed?.step ?? network.step };
}

/** A flat input does not determine height and width; of two extents the picture is grey. */
function imageOf(input: readonly number[]): ModelManifest["image"] {
  const [height = 0, width = 0, channels = 1] = input;
  if (input.length < 2 || input.length > 3 || (channels !== 1 && channels !== 3)) return undefined;
  return { height, width, channels, resize: "bilinear" };
}
