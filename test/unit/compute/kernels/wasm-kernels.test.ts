/** Our wasm kernels against tfjs's pure JavaScript backend: the same gradients, over strides, paddings, dilations and sizes. */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { OWN_KERNELS, registerWasmKernels } from "../../../../src/compute/kernels/index.ts";

const TOLERANCE = 1e-5;

beforeAll(async () => {
  await selectBackend("wasm");
});

type Draw = (shape: number[]) => tf.Tensor;

/** Runs `compute` on both backends from the same draws; @returns the largest difference relative to the largest element. */
async function apart(compute: (draw: Draw) => tf.Tensor[]): Promise<number> {
  const results: Float32Array[][] = [];
  for (const backend of ["cpu", "wasm"]) {
    await tf.setBackend(backend);
    let seed = 0;
    const draw: Draw = (shape) => {
      seed += 1;
      return tf.randomNormal(shape, 0, 1, "float32", seed);
    };
    const before = tf.memory().numTensors;
    results.push(
      tf.tidy(() => compute(draw).map((tensor) => Float32Array.from(tensor.dataSync()))) as unknown as Float32Array[],
    );
    expect(tf.memory().numTensors).toBe(before);
  }
  const [cpu = [], wasm = []] = results;
  let worst = 0;
  cpu.forEach((expected, index) => {
    const found = wasm[index] ?? new Float32Array();
    expect(found).toHaveLength(expected.length);
    let scale = 1e-6;
    let difference = 0;
    expected.forEach((value, at) => {
      scale = Math.max(scale, Math.abs(value));
      difference = Math.max(difference, Math.abs(value - (found[at] ?? Number.NaN)));
    });
    worst = Math.max(worst, difference / scale);
  });
  return worst;
}

/** Gradients of sum(f(inputs) * dy) by every input, for a random dy. */
function gradients(draw: Draw, f: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]): tf.Tensor[] {
  const dy = draw(f(...inputs).shape);
  return tf.grads(f)(inputs, dy);
}

describe("convolution gradients on wasm", () => {
  for (const strides of [1, 2]) {
    for (const padding of ["valid", "same", 1] as const) {
      for (const kernel of [1, 3, 5]) {
        it(`stride ${strides}, padding ${padding}, kernel ${kernel}: odd and even sizes, one and several channels`, async () => {
          for (const [height, width] of [
            [7, 8],
            [8, 9],
          ] as const) {
            for (const channels of [1, 3]) {
              const worst = await apart((draw) =>
                gradients(
                  draw,
                  (x, filter) =>
                    tf.conv2d(
                      x as tf.Tensor4D,
                      filter as tf.Tensor4D,
                      strides,
                      padding,
                      "NHWC",
                      1,
                      padding === 1 ? "floor" : undefined,
                    ),
                  [draw([2, height, width, channels]), draw([kernel, kernel, channels, 4])],
                ),
              );
              expect(worst).toBeLessThanOrEqual(TOLERANCE);
            }
          }
        });
      }
    }
  }
});

// tfjs refuses gradients of dilated convolutions on every backend, so the spec has no dilation either.
describe("depthwise convolution gradients on wasm", () => {
  for (const strides of [1, 2]) {
    for (const padding of ["valid", "same"] as const) {
      for (const multiplier of [1, 2]) {
        it(`stride ${strides}, padding ${padding}, multiplier ${multiplier}`, async () => {
          const worst = await apart((draw) =>
            gradients(
              draw,
              (x, filter) => tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, strides, padding),
              [draw([2, 8, 7, 3]), draw([3, 3, 3, multiplier])],
            ),
          );
          expect(worst).toBeLessThanOrEqual(TOLERANCE);
        });
      }
    }
  }
});

describe("the other kernels of a training step on wasm", () => {
  it("matrix products with every combination of transposed operands, batched too", async () => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        for (const batch of [[], [3]]) {
          const a = [...batch, ...(transposeA ? [5, 4] : [4, 5])];
          const b = [...batch, ...(transposeB ? [6, 5] : [5, 6])];
          const worst = await apart((draw) => {
            const inputs = [draw(a), draw(b)] as [tf.Tensor, tf.Tensor];
            const product = tf.matMul(...inputs, transposeA, transposeB);
            return [product, ...gradients(draw, (x, y) => tf.matMul(x, y, transposeA, transposeB), inputs)];
          });
          expect(worst).toBeLessThanOrEqual(TOLERANCE);
        }
      }
    }
  });

  it("pooling gradients, overlapping windows and padding included", async () => {
    for (const [size, strides, padding] of [
      [2, 2, "valid"],
      [3, 2, "same"],
      [3, 1, "valid"],
    ] as const) {
      const worst = await apart((draw) => [
        ...gradients(draw, (x) => tf.maxPool(x as tf.Tensor4D, size, strides, padding), [draw([2, 7, 8, 3])]),
        ...gradients(draw, (x) => tf.avgPool(x as tf.Tensor4D, size, strides, padding), [draw([2, 7, 8, 3])]),
      ]);
      expect(worst).toBeLessThanOrEqual(TOLERANCE);
    }
  });

  it("batch norm as the layer computes it: moments, normalisation and all gradients", async () => {
    for (const shape of [
      [6, 5],
      [2, 4, 3, 5],
    ]) {
      const axes = shape.slice(0, -1).map((_, axis) => axis);
      const worst = await apart((draw) =>
        gradients(
          draw,
          (x, gamma, beta) => {
            const { mean, variance } = tf.moments(x, axes);
            return tf.batchNorm(
              x,
              mean as tf.Tensor1D,
              variance as tf.Tensor1D,
              beta as tf.Tensor1D,
              gamma as tf.Tensor1D,
              1e-3,
            );
          },
          [draw(shape), draw([5]), draw([5])],
        ),
      );
      expect(worst).toBeLessThanOrEqual(5 * TOLERANCE); // differences of nearly equal sums
    }
  });

  it("sums, means and broadcast arithmetic over leading, trailing and all axes", async () => {
    const worst = await apart((draw) => {
      const x = draw([3, 4, 5]);
      const row = draw([5]);
      const column = draw([4, 1]);
      return [
        ...[undefined, 0, 1, 2, [0, 1], [1, 2]].flatMap((axis) => [x.sum(axis), x.mean(axis), x.sum(axis, true)]),
        ...[row, column, tf.scalar(2)].flatMap((other) => [x.add(other), x.sub(other), other.sub(x), x.mul(other)]),
        row.tile([7]),
        x.tile([2, 1, 3]),
      ];
    });
    expect(worst).toBeLessThanOrEqual(TOLERANCE);
  });

  it("a gradient by finite differences", async () => {
    await tf.setBackend("wasm");
    const filter = tf.randomNormal<tf.Rank.R4>([3, 3, 2, 3], 0, 1, "float32", 1);
    const x = tf.randomNormal<tf.Rank.R4>([1, 6, 6, 2], 0, 1, "float32", 2);
    const loss = (f: tf.Tensor): tf.Scalar =>
      tf
        .conv2d(x, f as tf.Tensor4D, 2, "same")
        .square()
        .mean();
    const gradient = tf.grad(loss)(filter).dataSync();
    const step = 1e-2;
    for (const at of [0, 17, 53]) {
      const nudge = tf.oneHot(tf.scalar(at, "int32"), filter.size).mul(step).reshape(filter.shape);
      const difference = (loss(filter.add(nudge)).dataSync()[0] ?? 0) - (loss(filter.sub(nudge)).dataSync()[0] ?? 0);
      expect(Math.abs(difference / (2 * step) - (gradient[at] ?? Number.NaN))).toBeLessThan(2e-3);
    }
  });
});

describe("registerWasmKernels", () => {
  it("changes nothing when it is called again", () => {
    const before = OWN_KERNELS.map((name) => tf.getKernel(name, "wasm").kernelFunc);
    registerWasmKernels();
    expect(OWN_KERNELS.map((name) => tf.getKernel(name, "wasm").kernelFunc)).toEqual(before);
  });
});
