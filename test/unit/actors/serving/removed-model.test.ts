/** A model that is removed while it is served. */
import { expect, it } from "vitest";
import { BY, samples, servingScene } from "./serving-scene.ts";

it.each([1, 2] as const)(
  "a model in %i slices that is removed is answered for seconds, then refused, then as a new one",
  async (slices) => {
    await using scene = await servingScene({ slices });
    const { gateway, model } = scene;
    await scene.release(1, gateway);
    await scene.release(2, gateway);
    await model.remove(BY, { isForced: true });
    await scene.until(() => gateway.model.live === undefined, "the end of the old releases");
    const input = samples(1);
    expect(await scene.outcome(gateway.model.infer({ input, timeoutMs: 100 }))).toMatchObject({ kind: "refusal" });
    expect(await scene.release(7, gateway)).toBe(3);
    const outcome = await scene.outcome(gateway.model.infer({ input }));
    expect(outcome).toMatchObject({ kind: "answer", release: 3 });
    expect(scene.fault(input, outcome)).toBeUndefined();
  },
);
