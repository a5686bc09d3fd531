import { describe, expect, it } from "vitest";
import { type HintCacheKeyParts, hintCacheKey } from "../../../src/jobs/hint-cache-key.ts";

const PARTS: HintCacheKeyParts = {
  dataset: "cifar-10 sha256:0011",
  layers: [
    [
      { type: "rescaling", name: "scale", scale: 2 },
      { type: "conv2d", name: "conv", filters: 4, kernelSize: 3 },
      { type: "re_lu", name: "relu" },
      { type: "max_pooling2d", name: "pool", poolSize: 2 },
    ],
    [{ type: "dense", name: "logits", units: 10 }],
  ],
  digests: ["aa", "bb"],
  section: 0,
  codec: "bf16",
  augmentation: { flip: true, shift: 4, views: 16, seed: 0, rotate: [0, 0] },
  view: 3,
  viewSeed: 7,
};
const [first = [], second = []] = PARTS.layers;
const withLayer = (index: number, changes: object): HintCacheKeyParts => ({
  ...PARTS,
  layers: [first.map((layer, at) => (at === index ? { ...layer, ...changes } : layer)), second],
});

describe("hintCacheKey", () => {
  it.each<[string, HintCacheKeyParts]>([
    ["a layer without weights has another option (relu6)", withLayer(2, { maxValue: 6 })],
    ["a rescaling has another factor", withLayer(0, { scale: 3 })],
    ["a pool is of another kind", withLayer(3, { type: "average_pooling2d" })],
    ["the data have another content", { ...PARTS, dataset: "cifar-10 sha256:0022" }],
    ["the cut is elsewhere", { ...PARTS, layers: [first.slice(0, -1), [...first.slice(-1), ...second]] }],
    ["its weights differ", { ...PARTS, digests: ["ab", "bb"] }],
    ["the codec differs", { ...PARTS, codec: "f32" }],
    ["the view differs", { ...PARTS, view: 4 }],
    ["the view is of another seed", { ...PARTS, viewSeed: 8 }],
    [
      "the view is made in another way",
      { ...PARTS, augmentation: { flip: false, shift: 4, views: 16, seed: 0, rotate: [0, 0] } },
    ],
    ["the view is turned", { ...PARTS, augmentation: { flip: true, shift: 4, views: 16, rotate: [0, 90], seed: 0 } }],
  ])("differs when %s", (_, changed) => {
    expect(hintCacheKey(changed)).not.toBe(hintCacheKey(PARTS));
  });

  it.each<[string, HintCacheKeyParts]>([
    [
      "a later section",
      { ...PARTS, layers: [first, [{ type: "dense", name: "logits", units: 5 }]], digests: ["aa", "cc"] },
    ],
    ["the order of a layer's options", withLayer(1, { filters: 4 })],
  ])("does not depend on %s", (_, changed) => {
    expect(hintCacheKey(changed)).toBe(hintCacheKey(PARTS));
  });

  it("does not depend on seed and augmentation where the view is the sample itself", () => {
    const plain = { ...PARTS, view: 0 };
    expect(hintCacheKey({ ...plain, viewSeed: 8, augmentation: undefined })).toBe(hintCacheKey(plain));
  });
});
