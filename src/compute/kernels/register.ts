/** Registers our kernels with the wasm backend, in place of or beside its own. */
import * as tf from "@tensorflow/tfjs";
import { avgPoolGrad } from "./avg-pool-grad.ts";
import { batchMatMul, fusedMatMul } from "./batch-mat-mul.ts";
import { channelAdd, channelMultiply, channelSub } from "./channel-arithmetic.ts";
import { conv2dBackpropFilter } from "./conv2d-backprop-filter.ts";
import { conv2dBackpropInput } from "./conv2d-backprop-input.ts";
import { depthwiseBackpropFilter, depthwiseBackpropInput } from "./depthwise-backprop.ts";
import { fusedBatchNorm } from "./fused-batch-norm.ts";
import { identity } from "./identity.ts";
import type { Kernel, OwnKernel } from "./kernel.ts";
import { maxPoolGrad } from "./max-pool-grad.ts";
import { mean, sum } from "./reduce-rows.ts";
import { tile } from "./tile.ts";

const KERNELS: readonly OwnKernel[] = [
  channelAdd,
  avgPoolGrad,
  batchMatMul,
  conv2dBackpropFilter,
  conv2dBackpropInput,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
  fusedBatchNorm,
  fusedMatMul,
  identity,
  maxPoolGrad,
  mean,
  channelMultiply,
  channelSub,
  sum,
  tile,
];

/** Names of the kernels in this folder. */
export const OWN_KERNELS: readonly string[] = KERNELS.map(({ name }) => name);

const registered = new Map<string, unknown>();

/**
 * Registers all of them with this thread's tfjs; a second call changes nothing. tfjs's wasm backend must have been
 * imported before: its kernels are what ours fall back on.
 */
export function registerWasmKernels(): void {
  for (const { name, create } of KERNELS) {
    const current = tf.getKernel(name, "wasm");
    if (current !== undefined && current.kernelFunc === registered.get(name)) continue;
    const builtIn = (current?.kernelFunc ?? missing(name)) as unknown as Kernel;
    const kernelFunc = create(builtIn) as unknown as tf.KernelFunc;
    if (current !== undefined) tf.unregisterKernel(name, "wasm"); // tfjs warns about a second registration
    // The built-in set-up is kept: it binds the wasm function that a fallback calls.
    tf.registerKernel({ ...current, kernelName: name, backendName: "wasm", kernelFunc });
    registered.set(name, kernelFunc);
  }
}

function missing(name: string): Kernel {
  return () => {
    throw new TypeError(`${name} on wasm takes float32 tensors in NHWC only`);
  };
}
