/**
 * Which library computes: libtensorflow through tfjs-node, WebAssembly with our training kernels, or plain JavaScript.
 * Chosen once per thread by a computation that works there, not by installed packages.
 */
import * as tf from "@tensorflow/tfjs";
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { registerWasmKernels } from "../kernels/index.ts";
import {
  BACKEND_NAMES,
  type BackendInfo,
  type BackendName,
  type BackendPreference,
  TFJS_BACKENDS,
} from "./backend-info.ts";
import { loadNative, nativeThreads } from "./native-backend.ts";
import { TRAINING_KERNELS } from "./training-kernels.ts";
import { loadWasm } from "./wasm-backend.ts";

/**
 * Makes a backend this thread's own, for tensors made from here on. `auto` takes the first of native, wasm, cpu that
 * loads and computes.
 * @throws KnowledgeNetError KN_UNAVAILABLE when the named backend does not work; the previous one stays.
 */
export async function selectBackend(preference: BackendPreference): Promise<BackendInfo> {
  // Without this tfjs prints a recommendation of tfjs-node at every plain start.
  tf.env().set("PROD", true);
  if (preference !== "auto") return open(preference);
  for (const name of BACKEND_NAMES) {
    try {
      return await open(name);
    } catch (error) {
      if (name === "cpu" || !isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
    }
  }
  throw new RangeError("BACKEND_NAMES is empty");
}

async function open(name: BackendName): Promise<BackendInfo> {
  const before = tf.engine().backendName as string | undefined;
  const tfjsBackend = TFJS_BACKENDS[name];
  try {
    const version = name === "native" ? loadNative() : tf.version_core;
    if (name === "wasm") loadWasm();
    if (!(await tf.setBackend(tfjsBackend))) throw new Error(`tfjs cannot start its backend "${tfjsBackend}"`);
    if (name === "wasm") registerWasmKernels();
    checkArithmetic();
    return {
      name,
      tfjsBackend,
      version,
      threads: name === "native" ? nativeThreads() : 1,
      missingTrainingKernels: TRAINING_KERNELS.filter((kernel) => tf.getKernel(kernel, tfjsBackend) === undefined),
    };
  } catch (cause) {
    if (before !== undefined && tf.findBackend(before) !== null) await tf.setBackend(before);
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `compute on the ${name} backend`,
      rule: "it must load and give the gradients of a small convolution",
      value: cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause),
      remedy: "run `npm run setup`, or choose another backend (auto takes the best one that works)",
      cause,
    });
  }
}

/** A library of the wrong version loads, and fails or computes wrong values at the first kernel. */
function checkArithmetic(): void {
  tf.tidy(() => {
    const x: tf.Tensor4D = tf.ones([1, 3, 3, 1]);
    const w: tf.Tensor4D = tf.ones([2, 2, 1, 1]);
    const gradients = tf.grads((input: tf.Tensor, filter: tf.Tensor) =>
      tf.conv2d(input as tf.Tensor4D, filter as tf.Tensor4D, 1, "valid").sum(),
    )([x, w]);
    // [1, 2, 2, 1] outputs: each tap saw 4 ones; 4 outputs x 4 taps fall on the inputs.
    const [dx, dw] = gradients.map((gradient) => gradient.sum().dataSync()[0]);
    if (dx !== 16 || dw !== 16) throw new Error(`gradients that sum to 16 and 16 came out as ${dx} and ${dw}`);
  });
}
