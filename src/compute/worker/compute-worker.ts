/**
 * The main thread's handle on a compute worker: calls in, promises out, in order. A long step leaves the event loop
 * free for heartbeats and the bus.
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

/** A result and the time that it took in the worker, without its time in the queue. */
export interface Timed<T> {
  readonly result: T;
  readonly computeMs: number;
}

export interface CallOptions {
  /** Tensors whose buffers move to the worker and are lost to the caller. */
  readonly transfer?: readonly (TensorData | undefined)[];
  /** Receives the activation before the call ends. An error that it throws rejects the call. */
  readonly onEmit?: Emit;
}

export interface ComputeWorker extends AsyncDisposable {
  readonly backend: BackendInfo;
  /** Resolves when the thread has ended: with the error that ended it, or with nothing after `close`. Never rejects. */
  readonly closed: Promise<void | Error>;
  /**
   * Runs one call. Rejects with the error of the call or of `onEmit`, with KN_UNAVAILABLE when the thread ends first.
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

/** Starts a thread and waits for its backend. Rejects with KN_UNAVAILABLE when either is not to be had. */
export async function createComputeWorker({ backend = "auto" }: ComputeWorkerOptions = {}): Promise<ComputeWorker> {
  const worker = startThread(backend);
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

  const reject = (id: number, error: Error): void => {
    pending.get(id)?.reject(error);
    pending.delete(id);
  };
  const emit = (id: number, activation: TensorData, version: number): void => {
    try {
      pending.get(id)?.onEmit?.(activation, version);
    } catch (error) {
      reject(id, toError(error)); // thrown on, it would end the process
    }
  };

  worker.on("message", (message: WorkerReply) => {
    switch (message.kind) {
      case "ready":
        onReady(message.backend);
        return;
      case "unusable":
        onUnusable(fromPlainError(message.error));
        return;
      case "emit":
        emit(message.id, message.activation, message.version);
        return;
      case "result":
        pending.get(message.id)?.resolve({ result: message.result as never, computeMs: message.computeMs });
        pending.delete(message.id);
        return;
      case "error":
        reject(message.id, fromPlainError(message.error));
    }
  });
  const end = (cause: Error | undefined): void => {
    ended = unavailable(cause);
    onUnusable(ended);
    for (const call of pending.values()) call.reject(ended);
    pending.clear();
    onClosed(cause);
  };
  let failure: Error | undefined;
  worker.on("error", (error: unknown) => {
    failure = toError(error);
  });
  // A reply that cannot be read leaves its call without an answer: the thread is of no more use.
  worker.on("messageerror", (error: unknown) => {
    failure = toError(error);
    void worker.terminate();
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
      return new Promise((resolve, rejectCall) => {
        worker.postMessage(request, transferList(transfer)); // throws when the call cannot be cloned
        pending.set(id, { resolve, reject: rejectCall, onEmit });
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function startThread(backend: BackendPreference): Worker {
  try {
    return new Worker(ENTRY, { workerData: { backend } });
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "start a compute worker",
      rule: "the system must grant another thread",
      value: toError(error).message,
      remedy: "raise the limit of processes and threads, or run fewer actors on this machine",
      cause: error,
    });
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function unavailable(cause: Error | undefined): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: "compute",
    rule: "the compute worker must be running",
    value: cause === undefined ? "closed" : `ended by ${cause.message}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
