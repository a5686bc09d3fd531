/** The thread's own side: applies what it is given, answers, and ends. */
import { getPriority, setPriority } from "node:os";
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { failureOf } from "../../messages/index.ts";
import { applyUpdates } from "../../models/updates/index.ts";
import { type ApplyReply, type ApplyTask, buffersOf } from "./apply-in-thread.ts";

/** Nice value: whoever waits for an answer goes first. */
const PRIORITY = 10;

const port = parentPort;
if (port === null) throw new TypeError("apply-main must run in a worker thread");
// Of this thread alone; elsewhere of the whole process. One that is lower may not be raised.
if (process.platform === "linux" && getPriority() < PRIORITY) setPriority(PRIORITY);

const { steps, shapes, base } = workerData as ApplyTask;
try {
  const tensors = applyUpdates(steps, shapes, base);
  port.postMessage({ kind: "made", tensors } satisfies ApplyReply, buffersOf(tensors));
} catch (error) {
  port.postMessage({ kind: "refused", failure: failureOf(error) } satisfies ApplyReply);
}
