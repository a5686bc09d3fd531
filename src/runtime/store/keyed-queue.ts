/** Work on one key runs in the order of the calls, work on different keys at once. */
export interface KeyedQueue {
  /** Settles as `work` does; a failure does not stop later work. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when all that was queued so far is done. Never rejects. */
  idle(): Promise<void>;
}

export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run(key, work) {
      const before = tails.get(key);
      const done = before === undefined ? work() : before.then(work);
      const tail: Promise<unknown> = done
        .catch(() => undefined)
        .finally(() => {
          if (tails.get(key) === tail) tails.delete(key);
        });
      tails.set(key, tail);
      return done;
    },
    async idle() {
      await Promise.all(tails.values());
    },
  };
}
