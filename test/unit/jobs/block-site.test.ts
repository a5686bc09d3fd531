import { describe, expect, it } from "vitest";
import type { SliceDescription } from "../../../src/compute/index.ts";
import { type BlockSite, createBlockSite } from "../../../src/jobs/block-site.ts";
import { parseTrainingSpec } from "../../../src/run-spec/index.ts";
import { createFakeWorker, type FakeWorker } from "./fake-worker.ts";

const SPEC = parseTrainingSpec(
  `
kind: training
name: tiny
data: { dataset: mnist }
model:
  input: [4]
  classes: 2
  layers: [{ name: a, type: dense, units: 3 }, { name: b, type: dense, units: 2 }]
  cuts: [a]
training: { epochs: 1, batchSize: 4, optimizer: { kind: sgd, learningRate: 0.01 } }
gradients: { source: synthetic }
`,
  { file: "tiny.yaml" },
);
const SLICES: readonly SliceDescription[] = [
  { inputShape: [4], outputShape: [3], layers: ["a"], parameters: 15, macs: 12 },
  { inputShape: [3], outputShape: [2], layers: ["b"], parameters: 8, macs: 6 },
];

function scene(index: number, isGradientModelElsewhere = false): { site: BlockSite; fakes: FakeWorker[] } {
  const fakes: FakeWorker[] = [];
  const site = createBlockSite(
    { spec: SPEC, index, slices: SLICES, totalSteps: 10, backend: "cpu", isGradientModelElsewhere },
    async () => {
      const fake = createFakeWorker();
      fakes.push(fake);
      return fake.worker;
    },
  );
  return { site, fakes };
}

describe("createBlockSite", () => {
  it("openBlock rejects with KN_UNAVAILABLE in a new worker until the gradient model is open there", async () => {
    const { site, fakes } = scene(0);
    await site.openGradientModel();
    await site.openBlock();
    fakes[0]?.die();
    await fakes[0]?.worker.closed;
    await expect(site.openBlock()).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
      attempt: "open block-0",
      value: "open in a worker that has ended",
    });
    await site.openGradientModel();
    await site.openBlock();
    expect(fakes.map(({ calls }) => calls)).toEqual([
      ["openGradientModel", "openBlock"],
      ["openGradientModel", "openBlock"],
    ]);
  });

  it("openBlock needs no gradient model beside the last block, or when it is on another node", async () => {
    for (const { site, fakes } of [scene(1), scene(0, true)]) {
      await site.openBlock();
      expect(fakes[0]?.calls).toEqual(["openBlock"]);
    }
  });
});
