/** Changes that a watcher has not read yet: pushed by the bucket, read as an async iterator, ended by either. */
import type { KvChange } from "../store.ts";

export interface ChangeQueue {
  push(change: KvChange): void;
  /** Drops the queued changes: the iterator is done. */
  end(): void;
  readonly iterator: AsyncIterator<KvChange, undefined>;
}

/** @param onEnd called once, when the reader stops or `end` is called */
export function createChangeQueue(onEnd: () => void): ChangeQueue {
  const queued: KvChange[] = [];
  const readers: ((result: IteratorResult<KvChange, undefined>) => void)[] = [];
  let isEnded = false;

  const end = (): void => {
    if (isEnded) return;
    isEnded = true;
    queued.length = 0;
    onEnd();
    for (const reader of readers.splice(0)) reader({ done: true, value: undefined });
  };

  return {
    push(value) {
      if (isEnded) return;
      const reader = readers.shift();
      if (reader === undefined) queued.push(value);
      else reader({ done: false, value });
    },
    end,
    iterator: {
      next() {
        const value = queued.shift();
        if (value !== undefined) return Promise.resolve({ done: false, value });
        if (isEnded) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => readers.push(resolve));
      },
      return() {
        end();
        return Promise.resolve({ done: true, value: undefined });
      },
    },
  };
}
