/** The output rows of a teacher's section: from the cache where they are kept, computed and kept otherwise. */
import type { TeacherHandle, TensorData } from "../../compute/index.ts";
import { type Activation, type BatchProvenance, encodeRows, type RowCodec } from "../../messages/index.ts";
import type { CachePartition } from "../../runtime/cache/index.ts";
import type { Counters } from "../../runtime/stream/index.ts";

/** Samples by their fate, and multiply-accumulates saved. */
export type CacheFigure = "hits" | "misses" | "refused" | "saved_macs";

export interface TeacherRowsOptions {
  readonly codec: RowCodec;
  /** Bytes of one encoded row. */
  readonly rowBytes: number;
  /** Multiply-accumulates of one sample's forward. */
  readonly macs: number;
}

export interface TeacherRowsDeps {
  readonly openUnit: (version: number) => Promise<TeacherHandle>;
  readonly openCachePartition: (provenance: BatchProvenance) => Promise<CachePartition | undefined>;
  readonly figures: Counters<CacheFigure>;
  /** Another version of the teacher is being opened. */
  readonly onLoading: () => void;
}

export interface TeacherRows {
  /** @returns the encoded rows of the batch, and the time in compute, ms; 0 where every row was cached. */
  rowsOf(activation: Activation, provenance: BatchProvenance): Promise<{ rows: Uint8Array; computeMs: number }>;
  close(): Promise<void>;
}

export function createTeacherRows({ codec, rowBytes, macs }: TeacherRowsOptions, deps: TeacherRowsDeps): TeacherRows {
  const { openUnit, openCachePartition, figures, onLoading } = deps;
  let opened: { readonly version: number; readonly unit: TeacherHandle } | undefined;

  /** Most batches are of the version that is open; a newer one replaces it. */
  const unitOf = async (version: number): Promise<TeacherHandle> => {
    if (opened?.version === version) return opened.unit;
    onLoading();
    const unit = await openUnit(version);
    await opened?.unit.dispose();
    opened = { version, unit };
    return unit;
  };

  return {
    async rowsOf({ tensor }, provenance) {
      const { samples, teacher } = provenance;
      const rows = new Uint8Array(samples.length * rowBytes);
      const partition = await openCachePartition(provenance);
      const isFound = (await partition?.read(samples, rows)) ?? samples.map(() => false);
      const hits = isFound.filter(Boolean).length;
      if (hits > 0) {
        figures.count("hits", hits);
        figures.count("saved_macs", hits * macs);
      }
      const absent = isFound.flatMap((found, row) => (found ? [] : [row]));
      if (absent.length === 0) return { rows, computeMs: 0 };
      const unit = await unitOf(teacher);
      const { result, computeMs } = await unit.infer(selectRows(tensor, absent));
      const { bytes } = encodeRows(result, codec);
      absent.forEach((row, position) => {
        rows.set(bytes.subarray(position * rowBytes, (position + 1) * rowBytes), row * rowBytes);
      });
      const isNew = isFound.map((found) => !found);
      const refused = (await partition?.write(samples, rows, isNew)) ?? 0;
      figures.count("misses", absent.length);
      if (refused > 0) figures.count("refused", refused);
      return { rows, computeMs };
    },
    async close() {
      await opened?.unit.dispose();
    },
  };
}

/** Some rows of a batch, in a buffer of their own; all of them: the batch itself. */
function selectRows(batch: TensorData, rows: readonly number[]): TensorData {
  const [count = 0, ...sampleShape] = batch.shape;
  if (rows.length === count) return batch;
  const length = batch.values.length / count;
  const values = batch.values.slice(0, rows.length * length);
  rows.forEach((row, position) => {
    values.set(batch.values.subarray(row * length, (row + 1) * length), position * length);
  });
  return { ...batch, shape: [rows.length, ...sampleShape], values } as TensorData;
}
