import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adamMovement, movementBetween, selectChannels, selectIndices } from "../../../../src/models/updates/index.ts";

const anyMovements = fc.dictionary(
  fc.constantFrom("a", "b", "c"),
  fc.array(fc.oneof(fc.constantFrom(0, 1, 2), fc.double({ min: 0, max: 1e30, noNaN: true })), {
    minLength: 1,
    maxLength: 40,
  }),
  { minKeys: 1 },
);
const anyFraction = fc.double({ min: 0.001, max: 1, noNaN: true });

describe("selectIndices", () => {
  it("takes what a stable sort by movement puts first, in order of name and place where they are equal", () => {
    fc.assert(
      fc.property(anyMovements, anyFraction, (lists, fraction) => {
        const movements = Object.fromEntries(
          Object.entries(lists).map(([name, list]) => [name, Float32Array.from(list)]),
        );
        const all = Object.keys(movements)
          .sort()
          .flatMap((name) => [...(movements[name] ?? [])].map((movement, place) => ({ name, place, movement })));
        const wanted = Math.max(1, Math.round(all.length * fraction));
        const first = all.toSorted((a, b) => b.movement - a.movement).slice(0, wanted);
        const selected = selectIndices(movements, fraction);
        const found = Object.entries(selected).flatMap(([name, at]) => [...at].map((place) => `${name}[${place}]`));
        expect(found.sort()).toEqual(first.map(({ name, place }) => `${name}[${place}]`).sort());
        for (const at of Object.values(selected)) expect([...at]).toEqual([...at].sort((a, b) => a - b));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([0, -0.1, 1.1, NaN])("refuses the fraction %d", (fraction) => {
    expect(() => selectIndices({ a: Float32Array.of(1) }, fraction)).toThrow(RangeError);
  });

  it.each([-1, NaN])("refuses the movement %d", (movement) => {
    expect(() => selectIndices({ a: Float32Array.of(movement) }, 1)).toThrow(RangeError);
  });
});

describe("selectChannels", () => {
  it("takes the channels of the greatest mean until they have enough values", () => {
    // Means by channel: kernel 1.5, 10, 2; bias 4, 0, 3.
    const movements = { kernel: Float32Array.of(1, 0, 2, 2, 20, 2), bias: Float32Array.of(4, 0, 3) };
    const shapes = { kernel: [2, 3], bias: [3] };
    expect(selectChannels(movements, shapes, 0.3)).toEqual({ kernel: Uint32Array.of(1), bias: Uint32Array.of(0) });
    expect(selectChannels(movements, shapes, 0.6)).toEqual({
      kernel: Uint32Array.of(1, 2),
      bias: Uint32Array.of(0, 2),
    });
    expect(selectChannels(movements, shapes, 1)).toEqual({
      kernel: Uint32Array.of(0, 1, 2),
      bias: Uint32Array.of(0, 1, 2),
    });
  });
});

describe("adamMovement", () => {
  it("is what tfjs's Adam does to a weight, but for one factor", async () => {
    await tf.setBackend("cpu");
    const gradients = [
      [1, -0.1, 0.01, 3, -2],
      [1, 0.2, 0.01, -3, -2],
      [0.5, -0.3, 0.02, 2, -2.5],
    ];
    const weight = tf.variable(tf.zeros([5]));
    const optimizer = tf.train.adam(0.01, 0.9, 0.999, 1e-8);
    const [m, v] = [new Float32Array(5), new Float32Array(5)];
    let before = new Float32Array(5);
    for (const gradient of gradients) {
      before = Float32Array.from(weight.dataSync());
      optimizer.applyGradients([{ name: weight.name, tensor: tf.tensor1d(gradient) }]);
      gradient.forEach((g, at) => {
        m[at] = 0.9 * (m[at] as number) + 0.1 * g;
        v[at] = 0.999 * (v[at] as number) + 0.001 * g * g;
      });
    }
    const done = movementBetween(before, Float32Array.from(weight.dataSync()));
    const predicted = adamMovement(m, v);
    const factors = [...predicted].map((movement, at) => (done[at] as number) / movement);
    for (const factor of factors) expect(factor / (factors[0] as number)).toBeCloseTo(1, 3);
    weight.dispose();
    optimizer.dispose();
  });
});
