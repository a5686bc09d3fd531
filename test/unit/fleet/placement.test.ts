import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isElsewhere, mayMove, placeActors } from "../../../src/fleet/placement.ts";
import { type NodeRecord, WIRE_VERSION } from "../../../src/fleet/records.ts";
import { parseSpec } from "../../../src/run-spec/index.ts";

const FILE = new URL("../../../examples/mnist-synthetic.yaml", import.meta.url);
const specWith = (...set: string[]) => parseSpec(readFileSync(FILE, "utf8"), { file: "spec.yaml", set });

/** Costs as in the four-layer net: the second block has most of the parameters. */
const SLICES = [7_200_000, 740_000, 66_000, 2_570].map((macs) => ({
  inputShape: [1],
  outputShape: [1],
  layers: [],
  parameters: 10,
  macs,
}));

function node(name: string, changes: Partial<NodeRecord> = {}): NodeRecord {
  return {
    format: 1,
    name,
    instance: `${name}-1`,
    labels: {},
    backend: "native",
    backendVersion: "2.21.0",
    cores: 2,
    memoryBytes: 1,
    gflops: 50,
    softwareVersion: "0.1.0",
    wireVersion: WIRE_VERSION,
    host: "here",
    pid: 1,
    startedAt: "2026-01-01T00:00:00.000Z",
    ...changes,
  };
}

const place = (nodes: readonly NodeRecord[], ...set: string[]) =>
  placeActors({ spec: specWith(...set), phase: "training", slices: SLICES, teacherSlices: [], nodes });

describe("placeActors", () => {
  it("gives each block a node of its own, the most expensive on the fastest, its gradient model and the feeder beside it", () => {
    const placed = place([node("a", { gflops: 10 }), node("b", { gflops: 40 }), node("c", { gflops: 20 }), node("d")]);
    expect(placed).toMatchObject({ "block-0": "d", "block-1": "b", "block-2": "c", "block-3": "a" });
    expect(placed).toMatchObject({ "gradient-0": "d", "gradient-1": "b", "gradient-2": "c", feeder: "d" });
    expect(placed.coordinator).toBe("a");
  });

  it("shares few nodes among many blocks", () => {
    const placed = place([node("a"), node("b")]);
    const blocks = [0, 1, 2, 3].map((index) => placed[`block-${index}`]);
    expect(blocks.filter((name) => name === "a")).toHaveLength(2);
  });

  it("follows names and labels of the spec, and spreads the rest around them", () => {
    const nodes = [
      node("cloud-1", { gflops: 500 }),
      node("edge-1", { labels: { tier: "edge" } }),
      node("edge-2", { labels: { tier: "edge" } }),
    ];
    const placed = place(
      nodes,
      "placement.block-0=edge-2",
      "placement.gradient-0=cloud-1",
      "placement.block-3=tier=edge",
    );
    expect(placed).toMatchObject({ "block-0": "edge-2", "gradient-0": "cloud-1", "block-3": "edge-1" });
    expect(placed["block-1"]).toBe("cloud-1");
    expect(isElsewhere(placed, 0)).toBe(true);
    expect(isElsewhere(placed, 1)).toBe(false);
  });

  it.each([
    ["no node at all", [], [], "no nodes"],
    ["a node that is absent", [node("a")], ["placement.block-0=edge-9"], "edge-9; present are a"],
    ["a label that nobody has", [node("a")], ["placement.block-0=tier=edge"], "tier=edge; present are a"],
    ["only nodes of another version", [node("a", { wireVersion: 1 })], [], "a has 1"],
    [
      "a node of another version by name",
      [node("a"), node("b", { wireVersion: 1 })],
      ["placement.block-0=b"],
      "b uses version 1",
    ],
  ])("refuses %s", (_, nodes, set, value) => {
    expect(() => place(nodes, ...set)).toThrow(expect.objectContaining({ code: "KN_CONFIG" }));
    expect(() => place(nodes, ...set)).toThrow(value);
  });

  it("uses no gradient model where no source has one", () => {
    expect(Object.keys(place([node("a")], "gradients.source=auxiliary")).sort()).toEqual([
      "block-0",
      "block-1",
      "block-2",
      "block-3",
      "coordinator",
      "feeder",
    ]);
  });
});

describe("mayMove", () => {
  it("holds for what the spec leaves open or names by label, not for what it names by node", () => {
    const spec = specWith("placement.block-0=edge-1", "placement.block-1=tier=edge");
    expect([0, 1, 2].map((index) => mayMove(spec, `block-${index}`))).toEqual([false, true, true]);
  });
});
