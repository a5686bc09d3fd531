/**
 * The port for data: samples by index, each with an id that is the same in every split. Readers (IDX, CIFAR) load whole
 * files; `createDataset` divides their records into a training, a validation and a test split.
 */
import { createHash } from "node:crypto";
import { KnowledgeNetError } from "../errors/index.ts";
import type { TensorView } from "../messages/index.ts";

/** One part of a data set, in memory. */
export interface Split {
  /** Samples. */
  readonly count: number;
  /** Id of the sample at `index`: its record among the training records, or, beyond those, in the test file. */
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
  /** For measurements during a run, while choices are still made: the held-out samples, else the test set. */
  readonly validation: Split;
  /** Records in all: every id is below. */
  readonly records: number;
  /** Name and digest of the content, the test file included: equal ids name equal samples where it is equal. */
  readonly fingerprint: string;
}

/** How a data set is divided. */
export interface DivideOptions {
  /** Use only the first n training records; the rest of the files does not count. @default all */
  readonly records?: number;
  /** The last n of these records are held out for measurements. @default 0 */
  readonly holdout?: number;
  /** Train on the first n samples that are not held out. @default all of them */
  readonly limit?: number;
  /** Only the first n training samples keep their label. @default all */
  readonly labelled?: number;
}

export interface LoadDatasetOptions extends DivideOptions {
  /** Folder that holds the files. */
  readonly directory: string;
  /** Reads a file of the folder; undefined when it is absent. */
  readonly readFile: (directory: string, name: string) => Promise<Uint8Array | undefined>;
}

/** Records as in a file: sample after sample, and one label for each. */
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
  /** SHA-256 of each file, in order. */
  readonly digests: readonly string[];
}

/**
 * @throws KnowledgeNetError KN_CONFIG when there are fewer records than `records`, or nothing would be left to train on.
 */
export function createDataset(content: DatasetContent, options: DivideOptions = {}): Dataset {
  const { name, sampleShape, classes, training, testing, digests } = content;
  const { holdout = 0, limit = Infinity, labelled } = options;
  const found = training.labels.length;
  const records = options.records ?? found;
  if (records > found) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `divide ${name}`,
      rule: `data.records must be at most the ${found} training records`,
      value: String(records),
      remedy: "lower data.records, or add the missing training files",
    });
  }
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
    validation: holdout === 0 ? test : createSplit({ ...training, sampleShape, from: kept, limit: holdout }),
    records: records + testing.labels.length,
    fingerprint: `${name} sha256:${fingerprintOf([String(records), ...digests])}`,
  };
}

/** 64 bits, as 16 hexadecimal digits. The count of training records is a part: the ids of the test samples follow it. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}
