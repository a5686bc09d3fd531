/** A model over a store in memory, with a network of two blocks whose weights are given by one number. */
import { type ModelSpec, type ModelManifest, signatureOf } from "../../../src/run-spec/index.ts";
import {
  type Model,
  type ModelDeps,
  type ModelRelease,
  modelsInStore,
  type NamedTensors,
  openModel,
} from "../../../src/models/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { failingStore, switchedFaults } from "../../support/failing-store.ts";

export const NETWORK: ModelSpec = {
  input: [2, 2, 1],
  classes: 3,
  layers: [
    { type: "flatten", name: "flat" },
    { type: "dense", name: "d1", units: 2 },
    { type: "dense", name: "d2", units: 3, useBias: false },
  ],
  cuts: ["d1"],
};

export const FACTS: Omit<ModelManifest, "format" | "model"> = {
  network: NETWORK,
  ...signatureOf(NETWORK),
  classNames: ["a", "b", "c"],
  origin: {
    ...{ run: "r", kind: "training", attempt: 1, generation: 5, phase: "training", softwareVersion: "0.1.0" },
    blocks: [{ actor: "block-0", applied: 5, skipped: 0 }],
  },
  createdAt: "2026-01-01T00:00:00.000Z",
};

const filled = (shape: number[], value: number) =>
  ({ dtype: "f32", shape, values: new Float32Array(shape.reduce((a, b) => a * b)).fill(value) }) as const;

/** Weights of both blocks, all `value`. */
export function weights(value: number): NamedTensors[] {
  return [
    { "weights/d1/kernel": filled([4, 2], value), "weights/d1/bias": filled([2], value) },
    { "weights/d2/kernel": filled([2, 3], value) },
  ];
}

export const BY = { by: "test" };

export async function modelScene(deps: Omit<ModelDeps, "clock"> = {}) {
  const clock = simulatedClock();
  const faults = switchedFaults();
  const plain = await memoryStore({ clock });
  const store = failingStore(plain, faults, clock);
  const models = modelsInStore(store);
  const open = (name = "digits", own: Omit<ModelDeps, "clock"> = deps): Model =>
    openModel(models, name, { clock, ...own });
  const model = open();
  const publish = (value: number, options = {}): Promise<ModelRelease> => model.publish(FACTS, weights(value), options);
  return { clock, faults, plain, store, models, model, open, publish };
}

/** All weights of a release, of the first block and the second. */
export async function loadAll(model: Model, release: number): Promise<NamedTensors[]> {
  const found = await model.release(release);
  return Promise.all(found.digests.map((_, block) => model.loadPart(found, block)));
}
