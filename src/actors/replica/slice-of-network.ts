/** The part of a network that one replica computes. Pure. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { layersOfBlocks, type LayerSpec, measureSections, type ModelSpec } from "../../run-spec/index.ts";

export interface NetworkSlice {
  /** Blocks of the network whose weights it has. */
  readonly blocks: readonly number[];
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
}

/**
 * @param slices 1: the whole network; else one slice for each block.
 * @throws KnowledgeNetError KN_SHAPE when the network has another number of blocks, or its layers do not fit.
 */
export function sliceOfNetwork(network: ModelSpec, slice: number, slices: number): NetworkSlice {
  const blocks = layersOfBlocks(network);
  if (slices !== 1 && slices !== blocks.length) {
    throw new KnowledgeNetError("KN_SHAPE", {
      attempt: `compute slice ${slice} of ${slices}`,
      rule: "a network that is served by blocks must have as many blocks as there are slices",
      value: `${blocks.length} blocks`,
      remedy: "serve it whole, or start the replicas again for this network",
    });
  }
  const own = slices === 1 ? blocks.map((_layers, index) => index) : [slice];
  const inputShape = measureSections(network)[own[0] ?? 0]?.inputShape ?? network.input;
  return { blocks: own, inputShape, layers: own.flatMap((index) => blocks[index] ?? []) };
}
