/** One stream, its images in memory, with the networks that meet there. */
import { createDriftStream, type DriftStream } from "../../../src/data/drift/index.ts";
import type { Dataset } from "../../../src/data/index.ts";
import type { Anchor, StudentLab } from "../../../src/actors/learner/index.ts";
import { stack, type TensorView } from "../../../src/messages/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import { predict, shareRight } from "./predictions.ts";
import type { DriftExperiment, ScheduleName } from "./settings.ts";

export interface SceneImages {
  /** [n, ...sample] u8 */
  readonly inputs: TensorView;
  readonly labels: Int32Array;
}

export interface SceneWindow {
  readonly live: SceneImages;
  readonly test: SceneImages;
  /** On the test images. */
  readonly oracle: number;
  readonly frozen: number;
}

export interface DriftScene {
  readonly classes: number;
  readonly sampleShape: readonly number[];
  /** Makes its images at the first call. */
  window(index: number): Promise<SceneWindow>;
  /** Logits of the oracle, [n, classes]. */
  askOracle(inputs: TensorView): Promise<Float32Array>;
}

export interface DriftSceneDeps {
  readonly oracle: { readonly lab: StudentLab; readonly weights: NamedTensors };
  readonly student: { readonly lab: StudentLab; readonly weights: NamedTensors };
}

/** Keys under which a lab holds what is not served. */
export const ORACLE_KEY = 1_000_001;
export const FROZEN_KEY = 1_000_002;

/** The stream of a seed, of the images that no network of the bench was trained on. */
export function streamOf(
  experiment: DriftExperiment,
  schedule: ScheduleName,
  seed: number,
  dataset: Dataset,
): DriftStream {
  const { windows, samples, testSamples, schedules } = experiment;
  const wanted = schedules[schedule];
  if (wanted === undefined) throw new RangeError(`${experiment.name} has no schedule ${schedule}`);
  // The held-out images of the data set: its `train` split is what the networks learn from.
  const source = { ...dataset, images: dataset.validation };
  return createDriftStream(source, { seed, windows, samples, testSamples, schedule: wanted });
}

export async function openScene(stream: DriftStream, dataset: Dataset, deps: DriftSceneDeps): Promise<DriftScene> {
  const { oracle, student } = deps;
  const { classes, sampleShape } = dataset;
  await oracle.lab.hold(ORACLE_KEY, oracle.weights);
  await student.lab.hold(FROZEN_KEY, student.weights);
  const windows = new Map<number, SceneWindow>();
  return {
    classes,
    sampleShape,
    async window(index) {
      const known = windows.get(index);
      if (known !== undefined) return known;
      const { live, test } = stream.window(index);
      const measured = imagesOf(test);
      const made: SceneWindow = {
        live: imagesOf(live),
        test: measured,
        oracle: shareRight(await predict(oracle.lab, ORACLE_KEY, measured.inputs, classes), measured.labels),
        frozen: shareRight(await predict(student.lab, FROZEN_KEY, measured.inputs, classes), measured.labels),
      };
      windows.set(index, made);
      return made;
    },
    askOracle: async (inputs) => (await oracle.lab.answer(ORACLE_KEY, inputs)).logits,
  };
}

/** Images of window 0's domain and classes, from those that are in no stream: some apart, and some to rehearse. */
export function anchorOf({ anchor }: DriftExperiment, { train, classes }: Dataset, stream: DriftStream): Anchor {
  const { plan } = stream.window(0);
  const shares = plan.classShares ?? new Array<number>(classes).fill(1);
  const { labels } = train.batch(Uint32Array.from({ length: train.count }, (_, index) => index));
  const known = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, index) => from + index).filter(
      (index) => (shares[labels.values[index] as number] ?? 0) > 0,
    );
  const apart = train.batch(known(train.count - anchor.test, train.count));
  const rehearsal = train.batch(known(0, anchor.rehearsal));
  return {
    test: { inputs: apart.samples, labels: Int32Array.from(apart.labels.values) },
    rehearsal: rehearsal.samples,
  };
}

/** [n, ...sample] */
export function stackImages(
  images: readonly (Uint8Array | Float32Array)[],
  sampleShape: readonly number[],
): TensorView {
  return stack(
    images.map((values) => ({ values })),
    { sampleShape, dtype: "u8" },
  );
}

function imagesOf(split: Dataset["train"]): SceneImages {
  const { samples, labels } = split.batch(Uint32Array.from({ length: split.count }, (_, index) => index));
  return { inputs: samples, labels: Int32Array.from(labels.values) };
}
