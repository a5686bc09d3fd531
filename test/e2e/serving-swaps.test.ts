/**
 * Releases change under load, and every answer has the bits of the release that it names: `kn serve` with all in one process,
 * and as a pipeline of processes. `npm run bench -- serving --only swaps,pipeline` is the same a thousand times, with kills.
 */
import { expect, it } from "vitest";
import { openKnServe } from "../../tools/bench/serving/kn-serve-scene.ts";
import { measureSwaps, type SwapsOptions, type SwapsResult } from "../../tools/bench/serving/swaps.ts";
import { describeWithNats } from "../support/nats-server.ts";

/** Admission allows any wait: how long an answer takes on this machine is not the question. */
const OPTIONS: Omit<SwapsOptions, "shape" | "swaps"> = {
  intervalMs: 250,
  load: { ratePerSecond: 50 },
  targetMs: 5_000,
  releases: 4,
  seed: 1,
  write: () => undefined,
};

/** From the first tenth of the swaps on: before the first swap there is no previous release. */
function expectEqualTensors({ tensors: [, ...tensors] }: SwapsResult): void {
  expect(tensors[0]).toBeGreaterThan(0);
  expect(tensors).toEqual(tensors.map(() => tensors[0]));
}

describeWithNats("kn serve", () => {
  it("changes the release of the whole network 50 times, no request fails, no bit is wrong", async () => {
    const result = await measureSwaps(openKnServe, { ...OPTIONS, shape: "whole", swaps: 50 });
    expect(result.outcomes).toEqual({ ok: result.requests });
    expect(result).toMatchObject({ swaps: 50, unseen: 0, outdated: 0 });
    expectEqualTensors(result);
  });

  it("answers with some release while promotions overtake one another", async () => {
    const hasty = { ...OPTIONS, shape: "whole", swaps: 40, intervalMs: 150, isHasty: true } as const;
    const result = await measureSwaps(openKnServe, hasty);
    expect(result.outcomes).toEqual({ ok: result.requests });
  });

  it("changes one block of a pipeline 20 times, no answer mixes two releases", async () => {
    const result = await measureSwaps(openKnServe, { ...OPTIONS, shape: "blocks", swaps: 20 });
    expect(result.outcomes).toEqual({ ok: result.requests });
    expect(result).toMatchObject({ swaps: 20, unseen: 0, outdated: 0 });
    expectEqualTensors(result);
  });
});
