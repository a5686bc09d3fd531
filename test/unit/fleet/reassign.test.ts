import { describe, expect, it } from "vitest";
import { placeActors } from "../../../src/fleet/placement.ts";
import { reassignLostActors } from "../../../src/fleet/reassign.ts";
import { type NodeRecord, WIRE_VERSION } from "../../../src/fleet/records.ts";
import { nodeRecord, SLICES, smallSpec } from "./fleet-world.ts";

const [a, b, c] = ["a", "b", "c"].map((name) => nodeRecord(name)) as [NodeRecord, NodeRecord, NodeRecord];

/** Moves the actors of `lost` to `nodes`, after a placement on a, b and c. */
function reassign(lost: readonly string[], nodes: readonly NodeRecord[], ...set: string[]) {
  const spec = smallSpec(...set);
  const parts = { spec, phase: "training" as const, slices: SLICES, teacherSlices: [] };
  const actors = placeActors({ ...parts, nodes: [a, b, c] });
  const moves = reassignLostActors({ ...parts, actors }, new Set(lost), nodes);
  return { actors, moves };
}

const on = (actors: Readonly<Record<string, string>>, node: string): string[] =>
  Object.keys(actors).filter((actor) => actors[actor] === node);

describe("reassignLostActors", () => {
  it("moves every actor of a lost node to a present one, and no other", () => {
    const { actors, moves } = reassign(["b"], [a, c]);
    expect(on(actors, "b").length).toBeGreaterThan(0);
    expect(Object.keys(moves).sort()).toEqual(on(actors, "b").sort());
    for (const node of Object.values(moves)) expect(["a", "c"]).toContain(node);
  });

  it("moves nothing while no node is lost, or an absent node is not given up yet", () => {
    expect(reassign([], [a, b, c]).moves).toEqual({});
    for (const nodes of [[a], []]) expect(reassign([], nodes).moves).toEqual({});
    const { actors, moves } = reassign(["b"], [a]); // c is absent as well
    expect(Object.keys(moves).sort()).toEqual(on(actors, "b").sort());
    expect(new Set(Object.values(moves))).toEqual(new Set(["a"]));
  });

  it("moves an actor with a label to another node of that label, and leaves it where there is none", () => {
    const [fast, faster, slow] = [
      nodeRecord("z", { labels: { kind: "gpu" }, gflops: 1 }),
      nodeRecord("g", { labels: { kind: "gpu" }, gflops: 500 }),
      nodeRecord("s"),
    ];
    const spec = smallSpec("placement.block-1=kind=gpu");
    const parts = { spec, phase: "training" as const, slices: SLICES, teacherSlices: [] };
    const actors = placeActors({ ...parts, nodes: [faster, slow] });
    expect(actors["block-1"]).toBe("g");
    const move = (nodes: readonly NodeRecord[]) => reassignLostActors({ ...parts, actors }, new Set(["g"]), nodes);
    expect(move([fast, slow])["block-1"]).toBe("z");
    expect(move([slow])).not.toHaveProperty("block-1");
    // It holds up no other actor of the lost node.
    expect(Object.keys(move([slow])).sort()).toEqual(
      on(actors, "g")
        .filter((actor) => actor !== "block-1")
        .sort(),
    );
  });

  it("gives an actor to the node with the fewest, those that stay counted", () => {
    const parts = { spec: smallSpec(), phase: "training" as const, slices: SLICES, teacherSlices: [] };
    const actors = { "block-0": "a", "block-1": "a", "block-2": "b", feeder: "a", coordinator: "a" };
    expect(reassignLostActors({ ...parts, actors }, new Set(["b"]), [a, c])).toEqual({ "block-2": "c" });
  });

  it("leaves actors alone that are on a present node which has changed its version of the messages", () => {
    const { actors, moves } = reassign(["b"], [a, { ...c, wireVersion: WIRE_VERSION + 1 }]);
    expect(on(actors, "c").length).toBeGreaterThan(0);
    expect(Object.keys(moves).sort()).toEqual(on(actors, "b").sort());
    expect(new Set(Object.values(moves))).toEqual(new Set(["a"]));
  });

  it("leaves an actor that the spec names by node", () => {
    const { actors, moves } = reassign(["b"], [a, c], "placement.block-0=b");
    expect(actors["block-0"]).toBe("b");
    expect(moves).not.toHaveProperty("block-0");
    expect(Object.keys(moves).sort()).toEqual(
      on(actors, "b")
        .filter((actor) => actor !== "block-0")
        .sort(),
    );
  });

  it("waits while no present node has this version of the messages, and passes one by that has another", () => {
    const strange = nodeRecord("x", { wireVersion: WIRE_VERSION + 1, gflops: 1_000 });
    expect(reassign(["b"], [strange]).moves).toEqual({});
    const { moves } = reassign(["b"], [a, strange]);
    expect(new Set(Object.values(moves))).toEqual(new Set(["a"]));
  });
});
