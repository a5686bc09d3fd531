import { describe, expect, it } from "vitest";
import {
  createPhaseRun,
  createSplit,
  type Dataset,
  describeSlices,
  jobKindOf,
  memoryBus,
  memoryStore,
  parseSpec,
  silentLogger,
  systemClock,
} from "../../src/index.ts";

const SPEC = `
kind: training
name: first
data: { dataset: mnist }
model:
  input: [2, 2, 1]
  classes: 2
  layers:
    - { name: scale, type: rescaling, scale: 0.004 }
    - { name: flat, type: flatten }
    - { name: hidden, type: dense, units: 8 }
    - { name: active, type: re_lu }
    - { name: logits, type: dense, units: 2 }
  cuts: [active]
training: { epochs: 4, batchSize: 8, optimizer: { kind: adam, learningRate: 0.05 } }
`;

/** Dark images of class 0, bright ones of class 1. */
function darkOrBright(count: number): Dataset {
  const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
  const samples = Uint8Array.from(
    { length: 4 * count },
    (_, value) => 200 * (Math.floor(value / 4) % 2) + (value % 40),
  );
  const split = createSplit({ samples, labels, sampleShape: [2, 2, 1] });
  return {
    name: "dark or bright",
    sampleShape: [2, 2, 1],
    classes: 2,
    train: split,
    test: split,
    validation: split,
    records: 2 * count,
    fingerprint: "dark or bright",
  };
}

describe("the library", () => {
  it("trains a network from a spec in this process, as the example in src/index.ts", async () => {
    const spec = parseSpec(SPEC, { file: "first.yaml" });
    const slices = await describeSlices(spec);
    const dataset = darkOrBright(64);
    const clock = systemClock();
    const store = await memoryStore({ clock });
    const run = createPhaseRun(
      { name: "first", spec, ...slices, phase: "training", attempt: 1, backend: "cpu", softwareVersion: "0.1.0" },
      { bus: memoryBus({ clock }), store, clock, log: silentLogger, dataset },
    );
    await run.start();
    const end = await run.ended;
    const ended = { phase: "training", end, stepsBefore: 0, startedMs: 0 } as const;
    const results = jobKindOf(spec).results([ended], undefined, {
      run: "first",
      spec,
      dataset,
      bus: "memory",
      ...slices,
    });
    expect(results).toMatchObject({ outcome: "completed", kind: "training" });
    expect(results.accuracy).toBeGreaterThan(0.9);
    await store.close();
  });
});
