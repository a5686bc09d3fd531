/**
 * The main thread's handle on a compute worker: calls in, promises out, in order. The event loop stays free through a
 * long step; heartbeats and the bus go on.
 */
import { Worker } from "node:worker_threads";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { BackendInfo, BackendPreference } from "../backend/index.ts";
import { type TensorData, transferList } from "../tensor-data.ts";
import type { ComputeCalls, Emit } from "./compute-host.ts";
import { type CallName, fromPlainError, type WorkerReply, type WorkerRequest } from "./protocol.ts";

export interface ComputeWorkerOptions {
  /** @default "auto" */
  readonly backend?: BackendPreference;
}

/** A result and the time that it took in the worker, without the waiting. */
export interface Timed<T> {
  readonly result: T;
  readonly computeMs: number;
}

export interface CallOptions {
  /** Tensors whose buffers move to the worker and are lost to the caller. */
  readonly transfer?: readonly (TensorData | undefined)[];
  readonly onEmit?: Emit;
}

export interface ComputeWorker extends AsyncDisposable {
  readonly backend: BackendInfo;
  /** Resolves when the thread has ended: with the error that ended it, or with nothing after `close`. Never rejects. */
  readonly closed: Promise<void | Error>;
  /**
   * Runs one call. Rejects with what it threw there; with KN_UNAVAILABLE when the thread ends meanwhile.
   */
  call<K extends CallName>(
    name: K,
    call: Parameters<ComputeCalls[K]>[0],
    options?: CallOptions,
  ): Promise<Timed<ReturnType<ComputeCalls[K]>>>;
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (timed: Timed<never>) => void;
  readonly reject: (error: Error) => void;
  readonly onEmit: Emit | undefined;
}

/** The compiled entry: threads run JavaScript, so a test that runs the sources uses the build beside them. */
const ENTRY = import.meta.url.endsWith(".ts")
  ? new URL("../../../dist/src/compute/worker/worker-main.js", import.meta.url)
  : new URL("./worker-main.js", import.meta.url);

/** Starts a thread and waits for its backend. Rejects with KN_UNAVAILABLE when a forced backend is absent. */
export async function createComputeWorker({ backend = "auto" }: ComputeWorkerOptions = {}): Promise<ComputeWorker> {
  const worker = new Worker(ENTRY, { workerData: { backend } });
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let ended: Error | undefined;

  let onReady: (info: BackendInfo) => void = () => undefined;
  let onUnusable: (error: Error) => void = () => undefined;
  let onClosed: (cause: Error | undefined) => void = () => undefined;
  const ready = new Promise<BackendInfo>((resolve, reject) => {
    onReady = resolve;
    onUnusable = reject;
  });
  const closed = new Promise<void | Error>((resolve) => {
    onClosed = resolve;
  });

  worker.on("message", (message: WorkerReply) => {
    switch (message.kind) {
      case "ready":
        onReady(message.backend);
        return;
      case "unusable":
        onUnusable(fromPlainError(message.error));
        return;
      case "emit":
        pending.get(message.id)?.onEmit?.(message.activation, message.version);
        return;
      case "result":
        pending.get(message.id)?.resolve({ result: message.result as never, computeMs: message.computeMs });
        pending.delete(message.id);
        return;
      case "error":
        pending.get(message.id)?.reject(fromPlainError(message.error));
        pending.delete(message.id);
    }
  });
  const end = (cause: Error | undefined): void => {
    ended = unavailable(cause);
    onUnusable(ended);
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
    onClosed(cause);
  };
  let failure: Error | undefined;
  worker.on("error", (error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  worker.on("exit", () => {
    end(failure);
  });

  const close = async (): Promise<void> => {
    await worker.terminate();
    await closed;
  };

  let info: BackendInfo;
  try {
    info = await ready;
  } catch (error) {
    await close();
    throw error;
  }

  return {
    backend: info,
    closed,
    call(name, call, { transfer = [], onEmit } = {}) {
      if (ended !== undefined) return Promise.reject(ended);
      const id = nextId;
      nextId += 1;
      const request: WorkerRequest = { id, name, call };
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject, onEmit });
        worker.postMessage(request, transferList(transfer));
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function unavailable(cause: Error | undefined): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: "compute",
    rule: "the compute worker must be running",
    value: cause === undefined ? "closed" : `ended by ${cause.message}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
