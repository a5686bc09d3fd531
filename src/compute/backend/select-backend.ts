/**
 * Which library computes: libtensorflow through tfjs-node, WebAssembly, or plain JavaScript. Chosen once per thread.
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import { registerWasmKernels } from "../wasm-kernels/index.ts";
import { TRAINING_KERNELS } from "./training-kernels.ts";

export const BACKEND_NAMES = ["native", "wasm", "cpu"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];
/** `auto`: the first of native, wasm, cpu that works. */
export type BackendPreference = BackendName | "auto";

export interface BackendInfo {
  readonly name: BackendName;
  /** Name in tfjs. */
  readonly tfjsBackend: "tensorflow" | "wasm" | "cpu";
  /** Of libtensorflow for native, of tfjs otherwise. */
  readonly version: string;
  /** Kernels that training may need and this backend lacks. */
  readonly missingTrainingKernels: readonly string[];
}

const TFJS_NAMES = { native: "tensorflow", wasm: "wasm", cpu: "cpu" } as const;
const require = createRequire(import.meta.url);

/** Rejects with KN_UNAVAILABLE when a backend that was asked for by name does not load or does not compute. */
export async function selectBackend(preference: BackendPreference): Promise<BackendInfo> {
  // Without this tfjs greets every plain start with an advertisement for tfjs-node.
  tf.env().set("PROD", true);
  const names = preference === "auto" ? BACKEND_NAMES : [preference];
  let failure: unknown;
  for (const name of names) {
    try {
      return await open(name);
    } catch (error) {
      failure = error;
    }
  }
  throw new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `compute on the ${preference} backend`,
    rule: "it must load and multiply two matrices",
    value: failure instanceof Error ? (failure.message.split("\n")[0] ?? "") : String(failure),
    remedy: "run `npm run setup`, or leave --backend out",
    cause: failure,
  });
}

async function open(name: BackendName): Promise<BackendInfo> {
  let version: string = tf.version_core;
  if (name === "native") version = loadNative();
  if (name === "wasm") await loadWasm();
  const tfjsBackend = TFJS_NAMES[name];
  if (!(await tf.setBackend(tfjsBackend))) throw new Error(`tfjs has no backend ${tfjsBackend}`);
  await tf.ready();
  if (name === "wasm") registerWasmKernels();
  const product = tf.tidy(() => tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dataSync()[0]);
  if (product !== 2) throw new Error(`a product of two matrices gave ${product} instead of 2`);
  const missingTrainingKernels = TRAINING_KERNELS.filter((kernel) => tf.getKernel(kernel, tfjsBackend) === undefined);
  return { name, tfjsBackend, version, missingTrainingKernels };
}

/** @returns the version of libtensorflow. */
function loadNative(): string {
  // tfjs-node 4.22 still calls what Node 23 has taken away.
  const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  const native = require("@tensorflow/tfjs-node") as { version: Record<string, string> };
  const backend = tf.findBackend("tensorflow") as unknown as { binding?: { TF_Version?: string } } | null;
  return backend?.binding?.TF_Version ?? native.version["tfjs-node"] ?? "unknown";
}

async function loadWasm(): Promise<void> {
  const wasm = (await import("@tensorflow/tfjs-backend-wasm")) as typeof import("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
}
