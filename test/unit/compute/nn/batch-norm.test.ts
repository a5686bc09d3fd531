/** The fused training step of batch norm against the one that tfjs composes. */
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { batchNormLayer } from "../../../../src/compute/nn/batch-norm.ts";
import { recordTape } from "../../../../src/compute/nn/tape.ts";
import { normal, relativeDifference } from "../reference.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

/** The layer under test and tfjs's own, with the same weights. */
function pair(shape: readonly number[]): { ours: tf.layers.Layer; theirs: tf.layers.Layer } {
  const options = { momentum: 0.9, epsilon: 1e-3 };
  const [ours, theirs] = [batchNormLayer(options), tf.layers.batchNormalization(options)];
  for (const layer of [ours, theirs]) {
    layer.build([null, ...shape.slice(1)]);
    const channels = [shape.at(-1) ?? 1];
    layer.setWeights([normal(channels, 1), normal(channels, 2), normal(channels, 3), normal(channels, 4).square()]);
  }
  return { ours, theirs };
}

describe("batchNormLayer", () => {
  it.each([[[32, 6]], [[6, 5, 4, 3]]])("trains as tfjs's own layer does: %j", (shape) => {
    const { ours, theirs } = pair(shape);
    const x = normal(shape, 5).mul(3).add(2);
    const dy = normal(shape, 6);
    const results = [ours, theirs].map((layer) => {
      const weights = layer.trainableWeights.map((weight) => weight.read());
      const tape = recordTape(() => layer.apply(x, { training: true }) as tf.Tensor);
      const y = tape.output.dataSync().slice();
      const gradients = tape.pullBack(dy, [x, ...weights]).map((gradient) => gradient.dataSync());
      return [y, ...gradients, ...layer.getWeights().map((weight) => weight.dataSync())];
    });
    const [mine = [], reference = []] = results;
    expect(mine).toHaveLength(8); // y, three gradients, four weights with the moving statistics
    mine.forEach((values, index) => {
      expect(relativeDifference(values, reference[index] as Float32Array)).toBeLessThan(1e-4);
    });
  });

  it("leaves no tensor behind, whether the tape is pulled back or given up", () => {
    const { ours } = pair([32, 6]);
    const [x, dy] = [normal([32, 6], 5), normal([32, 6], 6)];
    const round = (isPulledBack: boolean): void => {
      const tape = recordTape(() => ours.apply(x, { training: true }) as tf.Tensor);
      if (isPulledBack) tf.dispose(tape.pullBack(dy, [x]));
      else tape.dispose();
    };
    round(true);
    const before = tf.memory().numTensors;
    for (const isPulledBack of [true, false, true]) round(isPulledBack);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("uses the moving statistics in inference", () => {
    const { ours, theirs } = pair([32, 6]);
    const x = normal([32, 6], 7);
    const [mine, reference] = [ours, theirs].map((layer) => (layer.apply(x) as tf.Tensor).dataSync());
    expect(mine).toEqual(reference);
  });
});
