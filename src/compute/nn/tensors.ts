/** The two crossings between plain data and the tensor library. */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorData } from "../tensor-data.ts";

/** A tensor of `data`, owned by the caller. u8 becomes float32, the type of the first layer. */
export function toTensor(data: TensorData): tf.Tensor {
  if (data.dtype === "u8") return tf.tensor(Float32Array.from(data.values), [...data.shape], "float32");
  return tf.tensor(data.values, [...data.shape], data.dtype === "f32" ? "float32" : "int32");
}

/**
 * The values of `tensor`, in a buffer of their own.
 * @throws KnowledgeNetError KN_NUMERIC when one is not finite: such a tensor never leaves a worker.
 */
export function toData(tensor: tf.Tensor, what: string): TensorData {
  // Always a copy: a backend may return its own memory (cpu the tensor itself, native the tensor's source), and the
  // result moves to another thread, which would take the weights along.
  const values = tensor.dataSync().slice();
  if (tensor.dtype === "int32") return { dtype: "i32", shape: tensor.shape, values: values as Int32Array };
  assertFinite(values as Float32Array, what);
  return { dtype: "f32", shape: tensor.shape, values: values as Float32Array };
}

function assertFinite(values: Float32Array, what: string): void {
  // x - x is 0 for finite x and NaN for the rest; one sum shows whether any was not finite.
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += (values[index] as number) - (values[index] as number);
  if (sum === 0) return;
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: `compute ${what}`,
    rule: "every element must be finite",
    value: `${values.find((value) => !Number.isFinite(value))} among ${values.length} elements`,
    remedy: "the actor restarts from its last checkpoint; a lower learning rate helps when it comes again",
  });
}
