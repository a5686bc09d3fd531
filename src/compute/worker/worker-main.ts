/** The thread's own side: choose the backend, then answer calls in order until the port closes. */
import { parentPort, workerData } from "node:worker_threads";
import { type BackendPreference, selectBackend } from "../backend/index.ts";
import { type TensorData, transferList } from "../tensor-data.ts";
import { type ComputeCalls, createComputeHost } from "./compute-host.ts";
import { toPlainError, type WorkerReply, type WorkerRequest } from "./protocol.ts";

const port = parentPort;
if (port === null) throw new TypeError("worker-main must run in a worker thread");
const reply = (message: WorkerReply, tensors: readonly (TensorData | undefined)[] = []): void => {
  port.postMessage(message, transferList(tensors));
};

try {
  const backend = await selectBackend((workerData as { backend: BackendPreference }).backend);
  const host = createComputeHost();
  port.on("message", (request: WorkerRequest) => {
    answer(host, request);
  });
  reply({ kind: "ready", backend });
} catch (error) {
  reply({ kind: "unusable", error: toPlainError(error) });
}

function answer(host: ComputeCalls, { id, name, call }: WorkerRequest): void {
  const startedMs = performance.now();
  try {
    // The request was typed by the caller against the same interface.
    const method = host[name] as (call: unknown, emit: unknown) => unknown;
    const result = method(call, (activation: TensorData, version: number) => {
      reply({ kind: "emit", id, activation, version }, [activation]);
    });
    reply({ kind: "result", id, result, computeMs: performance.now() - startedMs }, tensorsIn(result));
  } catch (error) {
    reply({ kind: "error", id, error: toPlainError(error) });
  }
}

/** Tensors that a result holds at its top level or under `tensors`: those worth moving instead of copying. */
function tensorsIn(result: unknown): TensorData[] {
  if (typeof result !== "object" || result === null) return [];
  if (isTensor(result)) return [result];
  const nested = (result as { tensors?: Record<string, unknown> }).tensors ?? {};
  return [...Object.values(result as Record<string, unknown>), ...Object.values(nested)].filter(isTensor);
}

function isTensor(value: unknown): value is TensorData {
  return typeof value === "object" && value !== null && "values" in value && "dtype" in value;
}
