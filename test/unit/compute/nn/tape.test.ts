import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";
import { recordTape } from "../../../../src/compute/nn/tape.ts";
import { normal, relativeDifference } from "../reference.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

/** conv, batch norm over the batch, ReLU, max pool, dense: [6, 8, 8, 2] -> [6, 4]. */
function stack(x: tf.Tensor, filter: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  const convolved = tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "valid"); // [6, 6, 6, 3]
  const { mean, variance } = tf.moments(convolved, [0, 1, 2]);
  const normed = tf.batchNorm4d(
    convolved,
    mean as tf.Tensor1D,
    variance as tf.Tensor1D,
    beta as tf.Tensor1D,
    gamma as tf.Tensor1D,
    1e-3,
  );
  const pooled = tf.maxPool(tf.relu(normed) as tf.Tensor4D, 2, 2, "valid"); // [6, 3, 3, 3]
  return tf.matMul(pooled.reshape([6, 27]), kernel);
}

/** Input and weights of `stack`, with the gradient at its output. */
function operands(seed: number): { inputs: tf.Tensor[]; outputGradient: tf.Tensor } {
  return {
    inputs: [
      normal([6, 8, 8, 2], seed),
      normal([3, 3, 2, 3], seed + 1),
      normal([3], seed + 2),
      normal([3], seed + 3),
      normal([27, 4], seed + 4),
    ],
    outputGradient: normal([6, 4], seed + 5),
  };
}

type Five = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];

describe("recordTape", () => {
  it.each([1, 20, 300])("pullBack equals tf.grads for conv, batch norm, ReLU, pool and dense (seed %i)", (seed) => {
    const { inputs, outputGradient } = operands(seed);
    const expected = tf.grads(stack)(inputs, outputGradient);
    const tape = recordTape(() => stack(...(inputs as Five)));
    const output = stack(...(inputs as Five));
    expect(relativeDifference(tape.output.dataSync(), output.dataSync())).toBe(0);

    const actual = tape.pullBack(outputGradient, inputs);
    actual.forEach((gradient, index) => {
      expect(gradient.shape).toEqual(inputs[index]?.shape);
      expect(relativeDifference(gradient.dataSync(), (expected[index] as tf.Tensor).dataSync())).toBeLessThan(1e-6);
    });
    tf.dispose([...inputs, outputGradient, ...expected, ...actual, output]);
  });

  it("pullBack gives the gradient at the weights of the forward when variables have changed since", () => {
    const { inputs, outputGradient } = operands(40);
    const variables = inputs.map((tensor) => tf.variable(tensor));
    const expected = tf.grads(stack)(variables, outputGradient);
    const tape = recordTape(() => stack(...(variables as unknown as Five)));
    variables.forEach((variable, index) => {
      const next = normal(variable.shape, 60 + index);
      variable.assign(next);
      next.dispose();
    });
    const changed = tf.grads(stack)(variables, outputGradient);

    const actual = tape.pullBack(outputGradient, variables);
    actual.forEach((gradient, index) => {
      expect(relativeDifference(gradient.dataSync(), (expected[index] as tf.Tensor).dataSync())).toBeLessThan(1e-6);
      expect(relativeDifference(gradient.dataSync(), (changed[index] as tf.Tensor).dataSync())).toBeGreaterThan(0.1);
    });
    tf.dispose([...inputs, ...variables, outputGradient, ...expected, ...changed, ...actual]);
  });

  it("pullBack gives zeros for an input without a path to the output", () => {
    const x = normal([2, 3], 1);
    const stranger = normal([4], 2);
    const one = tf.ones([2, 3]);
    const gradients = recordTape(() => x.square()).pullBack(one, [x, stranger]);
    expect([...(gradients[1] as tf.Tensor).dataSync()]).toEqual([0, 0, 0, 0]);
    tf.dispose([x, stranger, one, ...gradients]);
  });

  it("pullBack ends the tape: the second one throws TypeError", () => {
    const x = normal([3], 1);
    const one = tf.ones([3]);
    const tape = recordTape(() => x.square());
    tf.dispose(tape.pullBack(one, [x]));
    expect(() => tape.pullBack(one, [x])).toThrow(TypeError);
    tf.dispose([x, one]);
  });

  it("pullBack with keep leaves the tape for further ones, each equal to tf.grads at the weights of the forward", () => {
    const { inputs, outputGradient } = operands(70);
    const variables = inputs.map((tensor) => tf.variable(tensor));
    const others = [outputGradient, normal([6, 4], 90), normal([6, 4], 91)];
    const expected = others.map((given) => tf.grads(stack)(variables, given));
    const tape = recordTape(() => stack(...(variables as unknown as Five)));
    others.forEach((given, round) => {
      variables.forEach((variable, index) => {
        const next = normal(variable.shape, 100 * round + index);
        variable.assign(next);
        next.dispose();
      });
      const actual = tape.pullBack(given, variables, { keep: round < 2 });
      actual.forEach((gradient, index) => {
        const reference = expected[round]?.[index] as tf.Tensor;
        expect(relativeDifference(gradient.dataSync(), reference.dataSync())).toBeLessThan(1e-6);
      });
      tf.dispose(actual);
    });
    expect(() => tape.pullBack(outputGradient, variables)).toThrow(TypeError);
    tf.dispose([...inputs, ...variables, ...others, ...expected.flat()]);
  });

  it("pullBack with keep leaves numTensors as it was, also when it throws, and dispose frees the tape", () => {
    const { inputs, outputGradient } = operands(1);
    const wrong = normal([6, 5], 9);
    const before = tf.memory().numTensors;
    const tape = recordTape(() => stack(...(inputs as Five)));
    const recorded = tf.memory().numTensors;
    for (let round = 0; round < 5; round += 1) {
      tf.dispose(tape.pullBack(outputGradient, inputs, { keep: true }));
      expect(() => tape.pullBack(wrong, inputs, { keep: true })).toThrow();
      expect(tf.memory().numTensors).toBe(recorded);
    }
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...inputs, outputGradient, wrong]);
  });

  it("dispose may be called twice, and ends the tape", () => {
    const x = normal([3], 1);
    const one = tf.ones([3]);
    const tape = recordTape(() => x.square());
    tape.dispose();
    tape.dispose();
    expect(tape.output.isDisposed).toBe(true);
    expect(() => tape.pullBack(one, [x])).toThrow(TypeError);
    tf.dispose([x, one]);
  });

  it("refuses to record inside a recording and inside tf.grad, and leaves the engine usable", () => {
    const x = normal([3], 1);
    expect(() => recordTape(() => recordTape(() => x.square()).output)).toThrow(TypeError);
    expect(() => tf.grad(() => recordTape(() => x.square()).output.sum())(x)).toThrow(TypeError);
    const gradient = tf.grad((y: tf.Tensor) => y.square().sum())(x);
    expect(
      relativeDifference(
        gradient.dataSync(),
        x.dataSync().map((value) => 2 * value),
      ),
    ).toBeLessThan(1e-6);
    tf.dispose([x, gradient]);
  });

  it("leaks nothing when the forward throws", () => {
    const { inputs, outputGradient } = operands(1);
    const before = tf.memory().numTensors;
    expect(() =>
      recordTape(() => {
        stack(...(inputs as Five));
        throw new RangeError("half way");
      }),
    ).toThrow(RangeError);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...inputs, outputGradient]);
  });

  it("leaks nothing when the gradient does not fit the output", () => {
    const { inputs, outputGradient } = operands(1);
    const wrong = normal([6, 5], 9);
    const before = tf.memory().numTensors;
    const tape = recordTape(() => stack(...(inputs as Five)));
    expect(() => tape.pullBack(wrong, inputs)).toThrow();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...inputs, outputGradient, wrong]);
  });

  it("keeps numTensors flat over 50 rounds of recording, pulled back or disposed", () => {
    const { inputs, outputGradient } = operands(1);
    const before = tf.memory().numTensors;
    for (let round = 0; round < 50; round += 1) {
      tf.dispose(recordTape(() => stack(...(inputs as Five))).pullBack(outputGradient, inputs));
      recordTape(() => stack(...(inputs as Five))).dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...inputs, outputGradient]);
  });

  it("reports the bytes that it keeps alive, a buffer that is saved several times once", () => {
    const x = normal([100], 1);
    const once = recordTape(() => x.square());
    expect(once.retainedBytes).toBe(800); // x and the output
    const twice = recordTape(() => x.mul(x)); // saves both factors
    expect(twice.retainedBytes).toBe(800);
    once.dispose();
    twice.dispose();
    x.dispose();
  });
});
