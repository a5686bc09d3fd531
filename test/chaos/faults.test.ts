/**
 * Training in four real processes over a real nats-server while things break. What must hold is checked at every event of
 * the run (src/apps/reproduce/trouble/audit.ts): no batch applied twice, each one accounted for, one incarnation at a time.
 */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runTrouble, type TroubleOptions, type TroubleResult } from "../../src/apps/reproduce/trouble/trouble.ts";
import { describeWithNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SPEC = fileURLToPath(new URL("../../examples/mnist-synthetic.yaml", import.meta.url));
const LONG_MS = 600_000;
/** 100 steps an epoch. */
const SMALL = ["data.limit=12800", "checkpoint.everySteps=25", "evaluation.batchSize=1000"];

async function trouble(options: Omit<TroubleOptions, "spec" | "folder">): Promise<TroubleResult> {
  await using folder = await temporaryFolder();
  return await runTrouble({ spec: SPEC, folder: folder.path, ...options });
}

/** The run has ended well and every batch is accounted for. */
function expectAccounted(result: TroubleResult): void {
  expect(result.outcome).toBe("completed");
  expect(result.violations).toEqual([]);
  expect(result.checked).toBeGreaterThan(result.totalSteps);
  for (const { actor, published, applied, skipped } of result.accounts) {
    const sum = applied + Object.values(skipped).reduce((total, count) => total + count, 0);
    expect({ actor, sum, published }).toEqual({ actor, sum: result.totalSteps, published: result.totalSteps });
  }
}

describeWithNats("training in four processes", () => {
  it(
    "survives SIGKILL of a block in two epochs of MNIST: 98 % and every batch accounted for",
    async () => {
      const result = await trouble({ set: ["training.epochs=2"], kills: [{ block: 1, at: 0.4 }] });
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
      const result = await trouble({ set, kills });
      expectAccounted(result);
      expect(result.incarnations).toEqual({ "block-0": 2, "block-1": 2, "block-2": 2, "block-3": 2 });
      // What was under way to a node while it was away is skipped and counted: a window or so at each of four goodbyes.
      for (const { applied } of result.accounts) expect(applied).toBeGreaterThanOrEqual(result.totalSteps - 4 * 4);
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
      const result = await trouble({ set: [...SMALL, `gradients.source=${source}`], kills });
      expectAccounted(result);
      expect(result.incarnations).toMatchObject({ "block-0": 2, "block-1": 1, "block-2": 1, "block-3": 2 });
    },
    LONG_MS,
  );

  it.each([true, false])(
    "goes on when nats-server is killed and comes back (with its store: %s)",
    async (keepsStore) => {
      const serverRestart = { at: 0.4, keepsStore };
      const result = await trouble({ set: SMALL, serverRestart, kills: [{ block: 2, at: 0.8 }] });
      expectAccounted(result);
      expect(result.incarnations).toEqual({ "block-0": 1, "block-1": 1, "block-2": 2, "block-3": 1 });
    },
    LONG_MS,
  );

  it(
    "gives the place of a suspended node away, and the one that wakes finds its fence old",
    async () => {
      const result = await trouble({ set: [...SMALL, "training.epochs=2"], pause: { block: 1, at: 0.3 } });
      expectAccounted(result);
      expect(result.incarnations).toMatchObject({ "block-1": 2 });
      expect(result.events.map((line) => line.replace(/.*: /, ""))).toEqual([
        "block-1 suspended",
        "the former block-1 wakes",
      ]);
    },
    LONG_MS,
  );

  it(
    "trains over slow links with a slow node, its gradient models elsewhere",
    async () => {
      const placement = [0, 1, 2, 3].map((index) => `placement.block-${index}=node-${index + 1}`);
      const models = [0, 1, 2].map((index) => `placement.gradient-${index}=node-${((index + 2) % 4) + 1}`);
      const result = await trouble({
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
      const result = await trouble({
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
});
