/**
 * Updates applied in a thread of its own, which ends with them: its memory goes back, and requests are answered meanwhile.
 * A thread takes some 50 ms to start, of an update that comes every 10 s or later.
 */
import { Worker } from "node:worker_threads";
import { KnowledgeNetError } from "../../errors/index.ts";
import { errorOf, type Failure, type ModelUpdate } from "../../messages/index.ts";
import type { NamedTensors } from "../../models/index.ts";
import type { TensorShapes } from "../../models/updates/index.ts";

/** What the thread is given. */
export interface ApplyTask {
  readonly steps: readonly ModelUpdate[];
  readonly shapes: TensorShapes;
  readonly base: NamedTensors | undefined;
}

/** What it answers, once. */
export type ApplyReply =
  | { readonly kind: "made"; readonly tensors: NamedTensors }
  | { readonly kind: "refused"; readonly failure: Failure };

/** The compiled entry: threads run JavaScript, so a test that runs the sources uses the build beside them. */
const ENTRY = import.meta.url.endsWith(".ts")
  ? new URL("../../../dist/src/jobs/updates/apply-main.js", import.meta.url)
  : new URL("./apply-main.js", import.meta.url);

/**
 * As `applyUpdates`. Rejects as it, and with KN_UNAVAILABLE when the thread ends without an answer.
 * @param base its buffers move to the thread: lost to the caller
 */
export async function applyInThread(
  steps: readonly ModelUpdate[],
  shapes: TensorShapes,
  base: NamedTensors | undefined,
): Promise<NamedTensors> {
  const task: ApplyTask = { steps, shapes, base };
  const worker = new Worker(ENTRY, { workerData: task, transferList: buffersOf(base ?? {}) });
  const reply = await new Promise<ApplyReply>((resolve, reject) => {
    const fail = (value: string, cause?: unknown): void => {
      const remedy = "it is tried again; free memory where that is what it lacked";
      const parts = { attempt: "apply an update", rule: "its thread must answer", value, remedy };
      reject(new KnowledgeNetError("KN_UNAVAILABLE", { ...parts, ...(cause === undefined ? {} : { cause }) }));
    };
    worker.once("message", resolve);
    worker.once("error", (error: unknown) => {
      fail(error instanceof Error ? error.message : String(error), error);
    });
    worker.once("exit", (code) => {
      fail(`exit code ${code}`);
    });
  });
  if (reply.kind === "made") return reply.tensors;
  throw errorOf(reply.failure);
}

/** Buffers that a tensor fills: they move instead of being copied. */
export function buffersOf(tensors: NamedTensors): ArrayBuffer[] {
  const buffers = Object.values(tensors).flatMap(({ values: { buffer, byteLength } }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
  return [...new Set(buffers)];
}
