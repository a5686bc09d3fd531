import * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { selectBackend } from "../../../../src/compute/backend/index.ts";

describe("selectBackend", () => {
  for (const [name, tfjsBackend] of [
    ["wasm", "wasm"],
    ["cpu", "cpu"],
  ] as const) {
    it(`${name}: is current afterwards and lacks no training kernel`, async () => {
      expect(await selectBackend(name)).toMatchObject({ name, tfjsBackend, missingTrainingKernels: [] });
      expect(tf.getBackend()).toBe(tfjsBackend);
    });
  }

  it("auto: takes the fastest that computes", async () => {
    const { name } = await selectBackend("auto");
    expect(["native", "wasm"]).toContain(name);
    expect(tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync()[0]).toBe(3);
  });
});
