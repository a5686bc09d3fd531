/** Nodes that are killed, or told to leave, in mid-run. */
import { expect, it } from "vitest";
import { describeWithNats } from "../support/nats-server.ts";
import { expectAccounted, LONG_MS, SMALL, faultyRun } from "../support/faulty-run.ts";

describeWithNats("training in four processes", () => {
  it(
    "survives SIGKILL of a block in two epochs of MNIST: 98 % and every batch accounted for",
    async () => {
      const result = await faultyRun({ set: ["training.epochs=2"], kills: [{ block: 1, at: 0.4 }] });
      expectAccounted(result);
      expect(result.accuracy).toBeGreaterThanOrEqual(0.98);
      expect(result.incarnations).toEqual({ "block-0": 1, "block-1": 2, "block-2": 1, "block-3": 1 });
    },
    LONG_MS,
  );

  it(
    "loses no step when every node is told to leave in turn, and comes back",
    async () => {
      // Nothing is saved in between: what a node has when it is back is what it saved when it left.
      const set = [...SMALL, "checkpoint.everySteps=100000", "training.epochs=2"];
      const kills = [0, 1, 2, 3].map((block) => ({ block, at: 0.2 + 0.2 * block, signal: "SIGTERM" as const }));
      const result = await faultyRun({ set, kills });
      expectAccounted(result);
      expect(result.incarnations).toEqual({ "block-0": 2, "block-1": 2, "block-2": 2, "block-3": 2 });
      for (const { actor, applied } of result.accounts) expect([actor, applied]).toEqual([actor, result.totalSteps]);
    },
    LONG_MS,
  );

  it.each(["locked", "delayed"])(
    "survives the loss of the first and the last block's node with the source %s",
    async (source) => {
      const kills = [
        { block: 3, at: 0.3 },
        { block: 0, at: 0.6 }, // with it the feeder
      ];
      const result = await faultyRun({ set: [...SMALL, `gradients.source=${source}`], kills });
      expectAccounted(result);
      expect(result.incarnations).toMatchObject({ "block-0": 2, "block-1": 1, "block-2": 1, "block-3": 2 });
    },
    LONG_MS,
  );
});
