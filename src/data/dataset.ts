/**
 * The port for data: samples by index, each with an id that names it wherever it goes. Readers (IDX, CIFAR) bring whole
 * files; `createDataset` divides them into what is trained on, what is held out, and what is tested on.
 */
import { KnowledgeNetError } from "../errors/index.ts";
import type { TensorView } from "../messages/index.ts";

/** One part of a data set, wholly in memory. */
export interface Split {
  /** Samples. */
  readonly count: number;
  /** Id of the sample at `index`: its record in the original training files, or, beyond those, in the test file. */
  idOf(index: number): number;
  /** Samples and labels by index: [n, ...sample shape] u8 and [n] i32 (-1: unlabelled), owned by the caller. */
  batch(indices: ArrayLike<number>): { readonly samples: TensorView; readonly labels: TensorView };
}

export interface Dataset {
  readonly name: string;
  /** Shape of one sample, [height, width, channels]. */
  readonly sampleShape: readonly number[];
  readonly classes: number;
  readonly train: Split;
  readonly test: Split;
  /** What a run is measured on while choices are still made: what was held out, else the test set. */
  readonly validation: Split;
  /** Ids of all samples are below it. */
  readonly records: number;
  /** One word for results: which files, by content. */
  readonly fingerprint: string;
}

/** How a data set is divided. */
export interface DivideOptions {
  /** Use only the first n training samples. @default all that are not held out */
  readonly limit?: number;
  /** The last n training samples are held out: measured on, never trained on. @default 0 */
  readonly holdout?: number;
  /** Only the first n training samples keep their label. @default all */
  readonly labelled?: number;
}

/** What every reader is told. */
export interface LoadDatasetOptions extends DivideOptions {
  /** Folder that holds the files. */
  readonly directory: string;
  /** Reads a file of the folder; undefined when it is absent. */
  readonly readFile: (directory: string, name: string) => Promise<Uint8Array | undefined>;
}

/** Records as they stand in files: sample after sample, and one label for each. */
export interface Records {
  readonly samples: Uint8Array;
  readonly labels: Uint8Array;
}

export interface SplitContent extends Records {
  readonly sampleShape: readonly number[];
  /** Record of the first sample of this split within `samples`. @default 0 */
  readonly from?: number;
  /** Use at most n. @default to the end */
  readonly limit?: number;
  /** Only the first n have a label. @default all */
  readonly labelled?: number;
  /** Id of record 0. @default 0 */
  readonly firstId?: number;
}

export function createSplit(content: SplitContent): Split {
  const { samples, labels, sampleShape, from = 0, limit = Infinity, labelled = Infinity, firstId = 0 } = content;
  const sampleBytes = sampleShape.reduce((product, extent) => product * extent, 1);
  const count = Math.min(limit, labels.length - from);
  const recordOf = (index: number | undefined): number => {
    if (index !== undefined && Number.isInteger(index) && index >= 0 && index < count) return from + index;
    throw new RangeError(`sample ${index} is outside 0 to ${count - 1}`);
  };
  return {
    count,
    idOf: (index) => firstId + recordOf(index),
    batch(indices) {
      const chosen = new Uint8Array(indices.length * sampleBytes);
      const chosenLabels = new Int32Array(indices.length);
      for (let row = 0; row < indices.length; row += 1) {
        const record = recordOf(indices[row]);
        chosen.set(samples.subarray(record * sampleBytes, (record + 1) * sampleBytes), row * sampleBytes);
        chosenLabels[row] = record - from < labelled ? (labels[record] as number) : -1;
      }
      return {
        samples: { dtype: "u8", shape: [indices.length, ...sampleShape], values: chosen },
        labels: { dtype: "i32", shape: [indices.length], values: chosenLabels },
      };
    },
  };
}

export interface DatasetContent {
  readonly name: string;
  readonly sampleShape: readonly number[];
  readonly classes: number;
  readonly training: Records;
  readonly testing: Records;
  readonly fingerprint: string;
}

/** @throws KnowledgeNetError KN_CONFIG when nothing would be left to train on. */
export function createDataset(content: DatasetContent, options: DivideOptions = {}): Dataset {
  const { name, sampleShape, classes, training, testing, fingerprint } = content;
  const { holdout = 0, limit = Infinity, labelled } = options;
  const records = training.labels.length;
  const kept = records - holdout;
  if (kept < 1) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `divide ${name}`,
      rule: `data.holdout must be below the ${records} training samples`,
      value: String(holdout),
      remedy: "hold fewer out",
    });
  }
  const test = createSplit({ ...testing, sampleShape, firstId: records });
  return {
    name,
    sampleShape,
    classes,
    train: createSplit({
      ...training,
      sampleShape,
      limit: Math.min(limit, kept),
      ...(labelled === undefined ? {} : { labelled }),
    }),
    test,
    validation: holdout === 0 ? test : createSplit({ ...training, sampleShape, from: kept }),
    records: records + testing.labels.length,
    fingerprint,
  };
}
