import type { ComputeWorker } from "../../../src/compute/index.ts";

export interface FakeWorker {
  readonly worker: ComputeWorker;
  /** Names of the calls, in order. */
  readonly calls: string[];
  /** Ends the thread as an error in it would. */
  die(cause?: Error): void;
}

/** A compute worker without a thread: opening a unit succeeds, every other call is answered with nothing. */
export function createFakeWorker(): FakeWorker {
  const calls: string[] = [];
  let end: (cause: void | Error) => void = () => undefined;
  const closed = new Promise<void | Error>((resolve) => {
    end = resolve;
  });
  const close = async (): Promise<void> => {
    end();
    await closed;
  };
  const worker: ComputeWorker = {
    backend: { name: "cpu", tfjsBackend: "cpu", threads: 1 } as ComputeWorker["backend"],
    closed,
    call(name) {
      calls.push(name);
      return Promise.resolve({
        result: (name.startsWith("open") ? { parameters: 1 } : undefined) as never,
        computeMs: 0,
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return {
    worker,
    calls,
    die(cause) {
      end(cause ?? new Error("killed"));
    },
  };
}
