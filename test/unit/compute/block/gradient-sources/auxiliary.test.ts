import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { createAuxiliaryHead } from "../../../../../src/compute/block/gradient-sources/auxiliary-head.ts";
import type { TensorData } from "../../../../../src/compute/index.ts";
import { createBlockUnit } from "../../../../../src/compute/block/block-unit.ts";
import { toTensor as toTypedTensor } from "../../../../../src/compute/nn/tensors.ts";
import { BATCH, blockOptions, labels, returned, sample, train } from "./block-scene.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

describe("auxiliarySource", () => {
  it("updates at once, passes a synthetic gradient on, tells no loss and takes nothing back", () => {
    const unit = createBlockUnit(blockOptions({ source: "auxiliary" }));
    const outcome = train(unit, 1);
    expect(outcome).toMatchObject({ isApplied: true, origin: "synthetic", age: 0, version: 1, retained: 0 });
    expect(outcome.inputGradient?.shape).toEqual([BATCH, 8, 8, 2]);
    expect(outcome.inputGradient?.values.some((value) => value !== 0)).toBe(true);
    expect(outcome).not.toHaveProperty("loss");
    const before = unit.snapshot();
    expect(unit.receive(1, returned(1), "true")).toEqual({
      isApplied: false,
      version: 1,
      retained: 0,
      pending: 0,
      forgotten: 0,
    });
    expect(unit.snapshot()).toEqual(before);
    unit.dispose();
  });

  it("moves the block by its head's gradient: as a locked block that is given the same one", () => {
    const options = blockOptions({ source: "auxiliary" });
    const unit = createBlockUnit(options);
    const locked = createBlockUnit(blockOptions());
    const { auxiliary } = options.sources;
    const learningRate = { ...options.learningRate, peak: auxiliary.optimizer.learningRate };
    const head = createAuxiliaryHead({ boundaryShape: [27], classes: 5, spec: auxiliary, seed: 77, learningRate });
    head.restore(unit.snapshot().tensors);
    for (const step of [1, 2, 3]) {
      let activation: TensorData | undefined;
      unit.train({ step, input: sample(step), labels }, (published) => {
        activation = published;
      });
      train(locked, step);
      const [output, labelTensor] = [toTypedTensor(activation as TensorData), toTypedTensor(labels)];
      const gradient = head.learn(step, output, labelTensor);
      locked.receive(
        step,
        { dtype: "f32", shape: [BATCH, 27], values: gradient.dataSync<"float32">().slice() },
        "true",
      );
      for (const tensor of [output, labelTensor, gradient]) tensor.dispose();
    }
    expect(unit.snapshot().tensors).toEqual({ ...locked.snapshot().tensors, ...head.snapshot() });
    unit.dispose();
    locked.dispose();
    head.dispose();
  });

  it("snapshot and restore carry the head along: an equal next update", () => {
    const original = createBlockUnit(blockOptions({ source: "auxiliary" }));
    for (const step of [1, 2, 3]) train(original, step);
    const snapshot = structuredClone(original.snapshot());
    const restored = createBlockUnit(blockOptions({ source: "auxiliary", seed: 99 }));
    train(restored, 1);
    restored.restore(snapshot);
    expect(restored.snapshot()).toEqual(snapshot);
    expect(train(restored, 4)).toEqual(train(original, 4));
    expect(restored.snapshot()).toEqual(original.snapshot());
    original.dispose();
    restored.dispose();
  });

  it("a checkpoint without a head is KN_CHECKPOINT", () => {
    const locked = createBlockUnit(blockOptions());
    const unit = createBlockUnit(blockOptions({ source: "auxiliary" }));
    expect(() => {
      unit.restore(locked.snapshot());
    }).toThrow(expect.objectContaining({ code: "KN_CHECKPOINT" }));
    unit.dispose();
    locked.dispose();
  });

  it("its parameters are not the block's: they are not served", () => {
    const [auxiliary, locked] = (["auxiliary", "locked"] as const).map((source) =>
      createBlockUnit(blockOptions({ source })),
    );
    expect(auxiliary?.parameters).toBe(locked?.parameters);
    auxiliary?.dispose();
    locked?.dispose();
  });
});
