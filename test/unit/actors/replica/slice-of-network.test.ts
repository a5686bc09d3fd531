import { describe, expect, it } from "vitest";
import { sliceOfNetwork } from "../../../../src/actors/replica/slice-of-network.ts";
import { NETWORK } from "../../models/model-scene.ts";

describe("sliceOfNetwork", () => {
  const names = (slice: number, slices: number): string[] =>
    sliceOfNetwork(NETWORK, slice, slices).layers.map(({ name }) => name);

  it("one slice is the whole network", () => {
    expect(sliceOfNetwork(NETWORK, 0, 1)).toMatchObject({ blocks: [0, 1], inputShape: [2, 2, 1] });
    expect(names(0, 1)).toEqual(["flat", "d1", "d2"]);
  });

  it("as many slices as blocks are the blocks, each with the shape of what the one before puts out", () => {
    expect(sliceOfNetwork(NETWORK, 0, 2)).toMatchObject({ blocks: [0], inputShape: [2, 2, 1] });
    expect(sliceOfNetwork(NETWORK, 1, 2)).toMatchObject({ blocks: [1], inputShape: [2] });
    expect([...names(0, 2), ...names(1, 2)]).toEqual(names(0, 1));
  });

  it("refuses another number of slices with KN_SHAPE", () => {
    expect(() => sliceOfNetwork(NETWORK, 0, 3)).toThrow(/KN_SHAPE.*2 blocks/);
  });
});
