/** Slow links, slow nodes, and one so slow that others hold it for gone. */
import { expect, it } from "vitest";
import { describeWithNats } from "../support/nats-server.ts";
import { expectAccounted, LONG_MS, SMALL, faultyRun } from "../support/faulty-run.ts";

describeWithNats("training in four processes", () => {
  it(
    "trains over slow links with a slow node, its gradient models elsewhere",
    async () => {
      const placement = [0, 1, 2, 3].map((index) => `placement.block-${index}=node-${index + 1}`);
      const models = [0, 1, 2].map((index) => `placement.gradient-${index}=node-${((index + 2) % 4) + 1}`);
      const result = await faultyRun({
        set: [...SMALL, "flow.window=16", "gradients.retain=32", ...placement, ...models],
        delay: { latencyMs: 50, jitterMs: 50 },
        throttle: { block: 1, cores: 0.1, from: 0.3, to: 0.6 },
      });
      expectAccounted(result);
      expect(result.accuracy).toBeGreaterThan(0.8); // 100 steps
    },
    LONG_MS,
  );

  it(
    "with `drop` the fast blocks go on while a slow one takes the newest, and each skip is counted",
    async () => {
      const result = await faultyRun({
        set: [...SMALL, "flow.overload=drop", "gradients.source=auxiliary"],
        throttle: { block: 2, cores: 0.05, from: 0.1, to: 0.9 },
      });
      expectAccounted(result);
      const [first, , slow] = result.accounts;
      expect(first?.skipped).toEqual({});
      expect(slow?.skipped.overload).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  it(
    "gives the place of a suspended node away, and the one that wakes finds its fence old",
    async () => {
      const result = await faultyRun({ set: [...SMALL, "training.epochs=2"], pause: { block: 1, at: 0.3 } });
      expectAccounted(result);
      expect(result.incarnations).toMatchObject({ "block-1": 2 });
      expect(result.events.map((line) => line.replace(/.*: /, ""))).toEqual([
        "block-1 suspended",
        "the former block-1 wakes",
      ]);
    },
    LONG_MS,
  );
});
