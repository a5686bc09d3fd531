import { describe, expect, it } from "vitest";
import type { ModelUpdate } from "../../../../src/messages/index.ts";
import { extendChain, isAnchorDue, NO_UPDATES, type UpdateChain } from "../../../../src/models/updates/index.ts";

const weights = (number: number) => ({ number, digest: number.toString(16).padStart(64, "0") });
const delta = (number: number, base = number - 1): ModelUpdate => ({
  ...{ model: "digits", kind: "masked", result: weights(number), base: weights(base), tensors: [] },
});
const full = (number: number): ModelUpdate => ({ model: "digits", kind: "full", result: weights(number), tensors: [] });

describe("extendChain", () => {
  it("wants an anchor after 20 updates, of the newest number or a newer one", () => {
    let chain: UpdateChain = extendChain(NO_UPDATES, full(1));
    const due: number[] = [];
    for (let number = 2; number <= 62; number += 1) {
      chain = extendChain(chain, delta(number));
      if (!isAnchorDue(chain)) continue;
      due.push(number);
      chain = extendChain(chain, full(number));
    }
    expect(due).toEqual([21, 41, 61]);
    expect(isAnchorDue(chain, 1)).toBe(true);
    expect(extendChain(chain, full(70))).toEqual({ newest: weights(70), sinceAnchor: 0 });
  });

  it.each<[string, UpdateChain, ModelUpdate]>([
    ["begin with a part", NO_UPDATES, delta(2)],
    ["leave a number out", extendChain(NO_UPDATES, full(3)), delta(5)],
    ["go back", extendChain(NO_UPDATES, full(3)), full(2)],
    [
      "give a number other weights",
      extendChain(NO_UPDATES, full(3)),
      { ...full(3), result: { ...weights(3), digest: "" } },
    ],
  ])("does not %s", (_what, chain, update) => {
    expect(() => extendChain(chain, update)).toThrow(RangeError);
  });
});
