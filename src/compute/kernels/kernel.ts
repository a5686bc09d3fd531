/**
 * Parts of our kernels: their view of the wasm backend, calls of other kernels, and temporary tensors of one call.
 *
 * A kernel borrows its inputs and hands over its output. A `Scratch` frees all other tensors. A tensor that was
 * once the filter of a convolution or the right side of a product must not be written in place: XNNPACK keeps a packed
 * copy of it until it is disposed.
 */
import * as tf from "@tensorflow/tfjs";

export type TensorInfo = tf.TensorInfo;
export type Attributes = Readonly<Record<string, unknown>>;

export interface WasmBackend {
  /** Allocates without clearing. May grow the heap, which detaches every view on it taken before. */
  makeOutput(shape: number[], dtype: tf.DataType): TensorInfo;
  /** A view, good until the next `makeOutput` or kernel call. */
  typedArrayFromHeap(info: TensorInfo): tf.TypedArray;
  /** Releases one reference; the last release frees the tensor. */
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
}

/** One call: inputs and attributes as tfjs passes them, under tfjs's names. */
export interface KernelCall<Inputs, Attrs> {
  readonly inputs: Inputs;
  readonly attrs: Attrs;
  readonly backend: WasmBackend;
}

export type Kernel<Inputs = Readonly<Record<string, TensorInfo | undefined>>, Attrs = Attributes> = (
  call: KernelCall<Inputs, Attrs>,
) => TensorInfo;

/** A kernel of ours. `create` receives the built-in one as its fallback. */
export interface OwnKernel {
  readonly name: string;
  create(builtIn: Kernel): Kernel;
}

/** Types a kernel's inputs and attributes, which tfjs passes untyped. */
export function ownKernel<Inputs, Attrs>(
  name: string,
  create: (builtIn: Kernel<Inputs, Attrs>) => Kernel<Inputs, Attrs>,
): OwnKernel {
  return { name, create: create as unknown as OwnKernel["create"] };
}

/** Intermediate tensors of one kernel call. */
export interface Scratch {
  /** Runs a kernel, ours if there is one. The result is freed at the end of the call unless it is returned. */
  run(kernel: string, inputs: Readonly<Record<string, TensorInfo>>, attrs?: Attributes): TensorInfo;
  /** Uninitialized float32; freed like a result of `run`. */
  allocate(shape: number[]): TensorInfo;
  /** Treats a tensor made elsewhere, by a built-in kernel, like a result of `run`. */
  adopt(info: TensorInfo): TensorInfo;
}

/**
 * Runs `body` and frees all that it made, except the tensor that it returns, if any: a result of `scratch`, never an
 * input.
 */
export function withScratch<Kept extends TensorInfo | void>(
  backend: WasmBackend,
  body: (scratch: Scratch) => Kept,
): Kept {
  const made: TensorInfo[] = [];
  const track = (info: TensorInfo): TensorInfo => {
    made.push(info);
    return info;
  };
  let kept: object | undefined;
  try {
    const result = body({
      run: (kernel, inputs, attrs = {}) => track(callKernel(kernel, { inputs, attrs, backend })),
      allocate: (shape) => track(backend.makeOutput(shape, "float32")),
      adopt: track,
    });
    kept = result?.dataId;
    return result;
  } finally {
    // Some kernels (a transpose that moves nothing) return their input with one more reference: spare just one.
    let isSpared = false;
    for (const { dataId } of made) {
      if (!isSpared && dataId === kept) isSpared = true;
      else backend.disposeData(dataId);
    }
  }
}

function callKernel(name: string, call: KernelCall<Readonly<Record<string, TensorInfo>>, Attributes>): TensorInfo {
  const config = tf.getKernel(name, "wasm");
  if (config === undefined) throw new TypeError(`the wasm backend has no kernel ${name}`);
  return config.kernelFunc(call as never) as TensorInfo;
}

/** The same data under another shape, as an input of a call; owns nothing. */
export function viewed(info: TensorInfo, shape: number[]): TensorInfo {
  return { dataId: info.dataId, dtype: info.dtype, shape };
}

/** Elements of a float32 tensor. */
export function floatsOf(backend: WasmBackend, info: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(info) as Float32Array;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
