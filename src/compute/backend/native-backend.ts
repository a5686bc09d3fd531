/** libtensorflow through tfjs-node: optional, and the one dependency that npm alone may fail to install. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import process from "node:process";
import util from "node:util";
import * as tf from "@tensorflow/tfjs";
import { registerNativeKernels } from "./native-kernels.ts";

const require = createRequire(import.meta.url);

interface NativeBackend {
  readonly binding?: { readonly TF_Version?: string };
}

/**
 * Loads the addon into this thread; it registers itself with tfjs. Safe to call twice.
 * @returns the version of libtensorflow.
 * @throws Error as the loader threw it: the package, the addon or one of its libraries is absent.
 */
export function loadNative(): string {
  // tfjs-node 4.22 calls a function that Node 23 removed.
  const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  require("@tensorflow/tfjs-node");
  registerNativeKernels();
  const backend = tf.findBackend("tensorflow") as unknown as NativeBackend | null;
  return backend?.binding?.TF_Version ?? "unknown";
}

/** libtensorflow reads this variable itself and reports no value; without it, it uses all cores. */
export function nativeThreads(): number {
  const given = Number.parseInt(process.env.TF_NUM_INTRAOP_THREADS ?? "", 10);
  return given > 0 ? given : availableParallelism();
}
