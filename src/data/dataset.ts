/**
 * The port for data: samples by index. Readers exist for MNIST's IDX files; others join behind the same port.
 */
import type { TensorView } from "../messages/index.ts";

/** One part of a data set, wholly in memory. */
export interface Split {
  /** Samples. */
  readonly count: number;
  /** Samples and labels by index: [n, ...sample shape] u8 and [n] i32, owned by the caller. */
  batch(indices: ArrayLike<number>): { readonly samples: TensorView; readonly labels: TensorView };
}

export interface Dataset {
  readonly name: string;
  /** Shape of one sample, [height, width, channels]. */
  readonly sampleShape: readonly number[];
  readonly classes: number;
  readonly train: Split;
  readonly test: Split;
  /** One word for results: which files, by content. */
  readonly fingerprint: string;
}

export interface SplitContent {
  readonly samples: Uint8Array;
  readonly labels: Uint8Array;
  readonly sampleShape: readonly number[];
  /** Use only the first n. */
  readonly limit?: number;
}

export function createSplit({ samples, labels, sampleShape, limit }: SplitContent): Split {
  const sampleBytes = sampleShape.reduce((product, extent) => product * extent, 1);
  const count = Math.min(limit ?? Number.POSITIVE_INFINITY, labels.length);
  return {
    count,
    batch(indices) {
      const chosen = new Uint8Array(indices.length * sampleBytes);
      const chosenLabels = new Int32Array(indices.length);
      for (let row = 0; row < indices.length; row += 1) {
        const index = indices[row];
        if (index === undefined || !Number.isInteger(index) || index < 0 || index >= count) {
          throw new RangeError(`sample ${index} is outside 0 to ${count - 1}`);
        }
        chosen.set(samples.subarray(index * sampleBytes, (index + 1) * sampleBytes), row * sampleBytes);
        chosenLabels[row] = labels[index] as number;
      }
      return {
        samples: { dtype: "u8", shape: [indices.length, ...sampleShape], values: chosen },
        labels: { dtype: "i32", shape: [indices.length], values: chosenLabels },
      };
    },
  };
}
