/** A frame that cannot be delivered ends the block with the cause; it must not be retransmitted for ever. */
import { describe, expect, it } from "vitest";
import { MAX_REFUSALS, RETRANSMIT_AFTER_MS } from "../../../../src/runtime/stream/index.ts";
import { batchFrame } from "../actor-scene.ts";
import { middleBlock } from "./middle-block.ts";

describe("createBlockActor: a frame that cannot be delivered", () => {
  it("fails with KN_CONFIG when its own frame exceeds the limit of the plan", async () => {
    // Its output has the shape of its input, and a longer header.
    const block = await middleBlock({ maxFrameBytes: batchFrame(1).byteLength });
    await block.send(1);
    expect(await block.actor.ended).toMatchObject({ code: "KN_CONFIG" });
    expect(block.actor.state).toBe("failed");
    expect(block.activations).toEqual([]);
  });

  it("fails with the cause when the block before retransmits a frame above its limit", async () => {
    const block = await middleBlock({ maxFrameBytes: batchFrame(1).byteLength - 1 });
    for (let transmission = 1; transmission <= MAX_REFUSALS; transmission += 1) {
      expect(block.actor.state).toBe("catchingUp");
      await block.send(1);
      await block.scene.clock.advance(RETRANSMIT_AFTER_MS);
    }
    expect(await block.actor.ended).toMatchObject({ code: "KN_CONFIG", cause: { code: "KN_DECODE" } });
  });
});
