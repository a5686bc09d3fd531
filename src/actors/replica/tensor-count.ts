/**
 * Tensors in a compute worker, for statistics that are asked at any time: the worker counts them in its turn, so it is the
 * newest count that is known. Over many changes of the release it stays equal.
 */
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface TensorCount {
  /** 0 before the first count. */
  readonly newest: number;
  /** Counts again, unless the worker has not answered yet. */
  refresh(): void;
}

export function createTensorCount(count: () => Promise<number>, log: Logger): TensorCount {
  let newest = 0;
  let isCounting = false;
  const ask = async (): Promise<void> => {
    isCounting = true;
    try {
      newest = await count();
    } catch (error) {
      log.debug({ err: error }, "tensors not counted"); // the worker is gone: its batches tell
    } finally {
      isCounting = false;
    }
  };
  return {
    get newest() {
      return newest;
    },
    refresh() {
      if (!isCounting) void ask();
    },
  };
}
