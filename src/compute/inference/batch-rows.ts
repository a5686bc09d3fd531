/**
 * How many rows are computed for a batch, so that the bits of a row depend on the number of rows and on nothing else in
 * the batch.
 *
 * libtensorflow with two or more threads cuts a matrix product into blocks of rows (24 on the machine measured) and gives
 * a block of one row to its matrix-vector kernel, which adds in another order: of 25 samples, the last one had other bits
 * than at another place. Blocks have an even number of rows, so an even batch never leaves a single row. With one thread,
 * and on wasm, there is nothing to mend. Measured, for both: docs/results/serving.md.
 */
import * as tf from "@tensorflow/tfjs";
import { nativeThreads } from "../backend/index.ts";
import type { TensorData } from "../tensor-data.ts";

/** One row more for an odd batch of three or more on native with several threads. A single row has no neighbours. */
export function rowsToCompute(rows: number): number {
  const isExposed = tf.getBackend() === "tensorflow" && nativeThreads() > 1;
  return isExposed && rows > 1 && rows % 2 === 1 ? rows + 1 : rows;
}

/** `input` with rows of zeros behind its own. */
export function withRows(input: TensorData, rows: number): TensorData {
  const [given = 0, ...sample] = input.shape;
  if (rows === given) return input;
  const { dtype, values } = input;
  const size = (values.length / given) * rows;
  const padded =
    dtype === "f32" ? new Float32Array(size) : dtype === "u8" ? new Uint8Array(size) : new Int32Array(size);
  padded.set(values);
  return { dtype, shape: [rows, ...sample], values: padded } as TensorData;
}
