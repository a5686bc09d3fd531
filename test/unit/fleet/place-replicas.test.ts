import { describe, expect, it } from "vitest";
import { assertPlaced, placeReplicas } from "../../../src/fleet/place-replicas.ts";
import { servingSpecSchema } from "../../../src/run-spec/index.ts";
import { nodeRecord } from "../apps/cli/cli-scene.ts";

const specWith = (changes: object = {}) =>
  servingSpecSchema.parse({ kind: "serving", name: "digits", model: "digits", ...changes });
const [a, b] = [nodeRecord("a", { gflops: 90 }), nodeRecord("b", { labels: { tier: "cloud" } })];

describe("placeReplicas", () => {
  it("spreads the replicas of each slice over the nodes, beginning with the fastest", () => {
    const place = { spec: specWith({ replicas: 2 }), slices: 2, nodes: [b, a], before: {} };
    expect(placeReplicas(place)).toEqual({
      "replica-0": "a",
      "replica-0-1": "b",
      "replica-1": "a",
      "replica-1-1": "b",
    });
  });

  it("counts the replicas of other models on a node", () => {
    const place = { spec: specWith(), slices: 1, nodes: [a, b], before: {} };
    expect(placeReplicas({ ...place, others: ["a"] })).toEqual({ "replica-0": "b" });
    expect(placeReplicas({ ...place, others: ["a", "b"] })).toEqual({ "replica-0": "a" });
  });

  it("leaves a replica where it is while its node is there, and moves it when it is not", () => {
    const place = { spec: specWith(), slices: 1, before: { "replica-0": "b" }, others: ["b", "b"] };
    expect(placeReplicas({ ...place, nodes: [a, b] })).toEqual({ "replica-0": "b" });
    expect(placeReplicas({ ...place, nodes: [a] })).toEqual({ "replica-0": "a" });
  });

  it("follows placement by replica, and by `replica` for all others; without a node a replica waits", () => {
    const placement = { replica: "tier=cloud", "replica-1": "a" };
    const place = { spec: specWith({ placement }), slices: 2, before: {} };
    expect(placeReplicas({ ...place, nodes: [a, b] })).toEqual({ "replica-0": "b", "replica-1": "a" });
    expect(placeReplicas({ ...place, nodes: [a] })).toEqual({ "replica-1": "a" });
    expect(() => {
      assertPlaced(place.spec, placeReplicas({ ...place, nodes: [] }));
    }).toThrow(/KN_CONFIG.*a node must be present that `placement` allows/);
  });
});
