/** Speed of matrix products on this thread's backend, which a node reports for the placement of blocks. */
import * as tf from "@tensorflow/tfjs";

/** Rows and columns: large enough that the product and not the call counts. */
const SIZE = 512;
const ROUNDS = 8;
/** The first ones compile and warm caches. */
const WARM_UP = 2;

/** @returns GFLOP/s in f32, of the fastest round, so that other load on the machine does not count. */
export function measureSpeed(): number {
  const [a, b] = [tf.randomUniform([SIZE, SIZE]), tf.randomUniform([SIZE, SIZE])];
  try {
    let fastestMs = Infinity;
    for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
      const started = performance.now();
      const product = tf.matMul(a, b);
      product.dataSync();
      product.dispose();
      if (round >= WARM_UP) fastestMs = Math.min(fastestMs, performance.now() - started);
    }
    return (2 * SIZE ** 3) / (Math.max(fastestMs, 1e-3) * 1e6);
  } finally {
    tf.dispose([a, b]);
  }
}
