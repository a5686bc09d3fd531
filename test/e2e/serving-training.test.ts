/** Training beside serving on one bus, for a moment: requests are answered and steps are taken, with and without the governor. How fast is the bench's. */
import { expect, it } from "vitest";
import { measureBesideTraining } from "../../tools/bench/serving/beside-training.ts";
import { openKnServe } from "../../tools/bench/serving/kn-serve-scene.ts";
import { describeWithNats } from "../support/nats-server.ts";

describeWithNats("measureBesideTraining", () => {
  it("measures kn serve and kn run, each alone and together", async () => {
    const options = { rounds: 1, durationMs: 1_000, loadShare: 0.1, seed: 1 };
    const result = await measureBesideTraining(openKnServe, options);
    expect(result?.rounds).toHaveLength(1);
    const [round] = result?.rounds ?? [];
    expect(round?.servingAloneP99Ms).toBeGreaterThan(0);
    for (const together of [round?.governed, round?.ungoverned]) {
      expect(together?.servingP99Ms).toBeGreaterThan(0);
      // That it steps is waited for by the scene; a busy machine may leave it no step within this second.
      expect(together?.trainingPerSecond).toBeGreaterThanOrEqual(0);
    }
  });
});
