/** Time and randomness of the client: the machine's own, or a test's. The client is used where no `Clock` is. */

export interface ClientPorts {
  /** Monotonic time, ms. */
  now(): number;
  /** Calls `then` after `ms`. @returns the function that cancels it */
  after(ms: number, then: () => void): () => void;
  /** Uniform in [0, 1): spreads the retries of many clients. */
  random(): number;
}

export const systemPorts: ClientPorts = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  random: () => Math.random(),
};
