import { beforeAll, describe, expect, it } from "vitest";
import { selectBackend } from "../../../../../src/compute/backend/index.ts";
import { type BlockUnit, createBlockUnit } from "../../../../../src/compute/block/block-unit.ts";
import { CONV_LAYERS } from "../../reference.ts";
import { blockOptions, fakeGradientModel, gradientModel, predicted, returned, toTensor, train } from "./block-scene.ts";

beforeAll(async () => {
  await selectBackend("auto");
});

/** Without pool and flatten: a boundary of [6, 6, 3]. */
const SPATIAL_LAYERS = CONV_LAYERS.slice(0, 3);

const headUpdates = (unit: BlockUnit): unknown => unit.snapshot().tensors["auxiliary/version"]?.values[0];

describe("autoSource", () => {
  it("at a flat boundary M is in charge at first, and the head learns from every fourth step", () => {
    const model = fakeGradientModel();
    const unit = createBlockUnit(blockOptions({ source: "auto" }), () => model);
    const locked = createBlockUnit(blockOptions());
    for (let step = 1; step <= 8; step += 1) {
      expect(train(unit, step)).toMatchObject({ isApplied: true, origin: "synthetic", version: step, retained: 0 });
      train(locked, step);
      locked.receive(step, predicted(step), "true");
    }
    expect(model.calls).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((step) => `predict ${step}`));
    expect(headUpdates(unit)).toBe(2);
    expect(unit.snapshot().tensors).toMatchObject(locked.snapshot().tensors);
    unit.dispose();
    locked.dispose();
  });

  it("at a boundary with height and width the head is in charge at first, and M keeps every batch to learn from", () => {
    const model = fakeGradientModel();
    const options = { layers: SPATIAL_LAYERS };
    const unit = createBlockUnit(blockOptions({ ...options, source: "auto" }), () => model);
    const auxiliary = createBlockUnit(blockOptions({ ...options, source: "auxiliary" }));
    for (const step of [1, 2, 3]) expect(train(unit, step)).toEqual(train(auxiliary, step));
    expect(model.calls).toEqual(["remember 1", "remember 2", "remember 3"]);
    expect(unit.snapshot()).toEqual(auxiliary.snapshot());
    unit.dispose();
    auxiliary.dispose();
  });

  it("a batch that M only remembered teaches it as much as one that it predicted for", () => {
    const unit = createBlockUnit(blockOptions({ source: "auto" }), () => remembering);
    const other = createBlockUnit(blockOptions({ source: "auto" }), () => predicting);
    const [remembering, predicting] = [gradientModel(), gradientModel()];
    unit.use("auxiliary");
    train(unit, 1);
    train(other, 1);
    const gradient = returned(1);
    const arrived = { remembering: toTensor(gradient), predicting: toTensor(gradient) };
    const quality = remembering.learn(1, arrived.remembering, 1e-2);
    expect(quality).toBeDefined();
    expect(quality).toEqual(predicting.learn(1, arrived.predicting, 1e-2));
    for (const each of [arrived.remembering, arrived.predicting, unit, other, remembering, predicting]) each.dispose();
  });

  it("use switches who is in charge, there and back", () => {
    const model = fakeGradientModel();
    const unit = createBlockUnit(blockOptions({ source: "auto" }), () => model);
    unit.use("auxiliary");
    train(unit, 1);
    unit.use("synthetic");
    unit.use("synthetic");
    train(unit, 2);
    unit.use("auxiliary");
    train(unit, 3);
    expect(model.calls).toEqual(["remember 1", "predict 2", "remember 3"]);
    expect(headUpdates(unit)).toBe(2);
    unit.dispose();
  });

  it.each(["locked", "task-loss"] as const)("use is KN_INVARIANT for a block whose source is %s", (source) => {
    const unit = createBlockUnit(blockOptions({ source }));
    expect(() => {
      unit.use("synthetic");
    }).toThrow(expect.objectContaining({ code: "KN_INVARIANT", value: source }));
    unit.dispose();
  });

  it("with M elsewhere and in charge: waits for its prediction; with the head in charge nothing is retained", () => {
    const unit = createBlockUnit(blockOptions({ source: "auto", isGradientModelElsewhere: true }));
    const locked = createBlockUnit(blockOptions());
    for (const step of [1, 2]) {
      expect(train(unit, step)).toMatchObject({ isApplied: false, retained: step });
      train(locked, step);
    }
    locked.receive(1, predicted(1), "true");
    expect(unit.receive(1, returned(1), "true")).toMatchObject({ isApplied: false, retained: 2 });
    expect(unit.receive(1, predicted(1), "synthetic")).toMatchObject({ isApplied: true, age: 0, retained: 1 });
    expect(unit.snapshot().tensors).toMatchObject(locked.snapshot().tensors);

    unit.use("auxiliary"); // what waits for M is given up
    expect(unit.receive(2, predicted(2), "synthetic")).toMatchObject({ isApplied: false, retained: 0, forgotten: 1 });
    expect(train(unit, 3)).toMatchObject({ isApplied: true, origin: "synthetic", retained: 0 });
    unit.use("synthetic");
    expect(train(unit, 4)).toMatchObject({ isApplied: false, retained: 1, forgotten: 1 });
    unit.dispose();
    locked.dispose();
  });
});
