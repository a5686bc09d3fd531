/** A gateway and its replicas, as a client sees them. */
import { describe, expect, it } from "vitest";
import { expected, samples, servingScene } from "./serving-scene.ts";

describe.each([1, 2] as const)("a model served by %i slices", (slices) => {
  it("answers with the live release, and says which", async () => {
    await using scene = await servingScene({ slices });
    const { gateway } = scene;
    expect(gateway.model.unready).toHaveLength(1);
    const release = await scene.release(1, gateway);
    const input = samples(3);
    const outcome = await scene.outcome(gateway.model.infer({ input }));
    expect(outcome).toMatchObject({ kind: "answer", release, batch: 3 });
    if (outcome.kind === "answer") expect(Array.from(outcome.logits.values)).toEqual(expected(1, input, slices));
  });

  it("goes over to another release without a refusal, and no answer mixes two", async () => {
    await using scene = await servingScene({ slices });
    const { gateway, clock } = scene;
    await scene.release(1, gateway);
    const answers: { release: number; value: number; input: ReturnType<typeof samples> }[] = [];
    let open = 0;
    const send = (from: number): void => {
      const input = samples(1 + (from % 3), from);
      open += 1;
      void gateway.model.infer({ input }).then((outcome) => {
        open -= 1;
        if (outcome.kind !== "answer") throw outcome.error;
        expect(Array.from(outcome.logits.values)).toEqual(expected(outcome.release, input, slices));
        answers.push({ release: outcome.release, value: 0, input });
      });
    };
    for (let value = 2; value <= 6; value += 1) {
      const { release } = await scene.publish(value);
      await scene.model.promote(release, { by: "test" });
      for (let step = 0; step < 60; step += 1) {
        send(step);
        await clock.advance(3);
      }
      await scene.until(() => gateway.model.live?.release === release, `release ${release}`);
    }
    await scene.until(() => open === 0, "all answers");
    expect(answers).toHaveLength(300);
    expect(new Set(answers.map(({ release }) => release)).size).toBeGreaterThanOrEqual(5);
    expect(scene.reports.every(({ outcome }) => outcome === "answer")).toBe(true);
  });
});
