/**
 * The place where an actor computes: one worker thread, started at the first use and again after its death. Its death
 * is an event, since the units that were open in it are lost.
 */
import { type BackendInfo, type BackendPreference, type ComputeWorker, createComputeWorker } from "../compute/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";

/** Starts a compute worker. */
export type StartWorker = (options: { readonly backend: BackendPreference }) => Promise<ComputeWorker>;

export interface ComputeSite extends AsyncDisposable {
  /** Undefined before the first worker runs. */
  readonly backend: BackendInfo | undefined;
  /** The running worker. Rejects when none can be started; the next call tries again. */
  worker(): Promise<ComputeWorker>;
  /** Calls `listener` with KN_UNAVAILABLE when a worker ends before `close`. @returns function that unsubscribes it. */
  onWorkerLost(listener: (error: KnowledgeNetError) => void): () => void;
  /** Tensors alive in its worker. */
  countTensors(): Promise<number>;
  close(): Promise<void>;
}

export function createComputeSite(
  backend: BackendPreference,
  startWorker: StartWorker = createComputeWorker,
): ComputeSite {
  const listeners = new Set<(error: KnowledgeNetError) => void>();
  let starting: Promise<ComputeWorker> | undefined;
  let info: BackendInfo | undefined;
  let isClosing = false;

  const start = async (): Promise<ComputeWorker> => {
    const started = await startWorker({ backend });
    info = started.backend;
    void started.closed.then((cause) => {
      starting = undefined;
      if (isClosing) return;
      const error = workerLost(cause);
      for (const listener of [...listeners]) listener(error);
    });
    return started;
  };

  const close = async (): Promise<void> => {
    isClosing = true;
    const started = await starting?.catch(() => undefined);
    await started?.close();
    isClosing = false;
  };

  return {
    get backend() {
      return info;
    },
    worker() {
      starting ??= start().catch((error: unknown) => {
        starting = undefined;
        throw error;
      });
      return starting;
    },
    onWorkerLost(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    async countTensors() {
      return starting === undefined ? 0 : (await (await starting).call("memory", {})).result.tensors;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function workerLost(cause: void | Error): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: "compute",
    rule: "the compute worker must be running",
    value: cause instanceof Error ? `ended by ${cause.message}` : "ended",
    remedy: "the actor restarts from its last checkpoint in a new worker",
    ...(cause instanceof Error ? { cause } : {}),
  });
}
