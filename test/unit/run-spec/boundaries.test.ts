import { describe, expect, it } from "vitest";
import { boundariesOf, layersOfBlocks, parseTrainingSpec, type TrainingSpec } from "../../../src/run-spec/index.ts";

function specWith(cuts: string, gradients = ""): TrainingSpec {
  const text = `kind: training
name: tiny
data: { dataset: mnist }
model:
  input: [4]
  classes: 2
  layers:
    - { name: a, type: dense, units: 3 }
    - { name: b, type: re_lu }
    - { name: c, type: dense, units: 2 }
  cuts: ${cuts}
${gradients}`;
  return parseTrainingSpec(text, { file: "run.yaml" });
}

const ADAM = { kind: "adam", learningRate: 1e-3 };

describe("boundariesOf", () => {
  it("gives each cut the shared source and gradient model", () => {
    const shared = { source: "synthetic", gradientModel: { hidden: 256, optimizer: ADAM, learnEvery: 1 } };
    expect(boundariesOf(specWith("[a, b]"))).toEqual([
      { index: 0, name: "a", ...shared },
      { index: 1, name: "b", ...shared },
    ]);
  });

  it("a boundary's own keys go before the shared ones, and leave the others as they are", () => {
    const spec = specWith(
      "[a, b]",
      `gradients:
  source: locked
  gradientModel: { hidden: 64, learnEvery: 2 }
  boundaries:
    b: { source: synthetic, gradientModel: { hidden: 8 } }
`,
    );
    expect(boundariesOf(spec)).toEqual([
      { index: 0, name: "a", source: "locked", gradientModel: { hidden: 64, optimizer: ADAM, learnEvery: 2 } },
      { index: 1, name: "b", source: "synthetic", gradientModel: { hidden: 8, optimizer: ADAM, learnEvery: 2 } },
    ]);
  });

  it("a network without cuts has none", () => {
    expect(boundariesOf(specWith("[]"))).toEqual([]);
  });
});

describe("layersOfBlocks", () => {
  it.each([
    ["[]", [["a", "b", "c"]]],
    ["[a]", [["a"], ["b", "c"]]],
    ["[a, b]", [["a"], ["b"], ["c"]]],
  ])("divides the layers after each cut of %s", (cuts, names) => {
    expect(layersOfBlocks(specWith(cuts).model).map((layers) => layers.map(({ name }) => name))).toEqual(names);
  });
});
