/**
 * What the reliable stream promises: the same property on the memory bus and on a NATS server, with the real outbox,
 * sequence gate, fence guard, frame sender and receiver, chunks, gaps and drain.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printedSeed } from "../../support/random.ts";
import { FATES, type StreamFactory } from "./stream-harness.ts";
import { createStreamScene, type ReceiverLog, type StreamScene, type StreamSceneOptions } from "./stream-scene.ts";

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: "post" } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("consume" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "tick" } as const) },
);
const restart = fc.record({
  kind: fc.constantFrom("restart-sender" as const, "restart-receiver" as const),
  back: fc.integer({ min: 0, max: 5 }),
});
const outage = fc.constant({ kind: "outage" } as const);
type Action = { readonly kind: string; readonly count?: number; readonly back?: number };

const fates = fc.array(fc.constantFrom(...FATES), { minLength: 1, maxLength: 60 });
const total = fc.integer({ min: 1, max: 20 });
const actionsOf = (...kinds: fc.Arbitrary<Action>[]): fc.Arbitrary<Action[]> =>
  fc.array(fc.oneof({ weight: 6, arbitrary: step }, ...kinds.map((arbitrary) => ({ weight: 1, arbitrary }))), {
    maxLength: 30,
  });

/** @param runs schedules of each kind. @param describeAdapter `describe`, or one that skips where the adapter cannot run */
export function describeStreamContract(
  name: string,
  runs: number,
  factory: StreamFactory,
  describeAdapter: typeof describe | typeof describe.skip = describe,
): void {
  const seed = printedSeed();
  const check = async (options: StreamSceneOptions, actions: readonly Action[]): Promise<StreamScene> => {
    await using scene = await createStreamScene(options, await factory());
    for (const action of actions) await perform(scene, action);
    const outstanding = await scene.finish();
    expect(outstanding).toEqual({ sender: 0, receiver: 0, timers: 0 });
    expect(scene.failures).toEqual([]);
    for (const log of scene.logs) expectInOrder(log);
    expect(scene.logs.at(-1)?.taken.at(-1)?.last ?? scene.logs.at(-1)?.start).toBe(options.total);
    return scene;
  };

  describeAdapter(`reliable stream on ${name}`, () => {
    it("delivers every sequence exactly once and in order, and drains, while messages are lost, duplicated, delayed and connections cut", async () => {
      await fc.assert(
        fc.asyncProperty(fates, total, actionsOf(outage), async (drawn, sequences, actions) => {
          const { logs } = await check({ fates: drawn, total: sequences, isDropping: false }, actions);
          expect(logs.flatMap(gapsIn)).toEqual([]);
        }),
        { numRuns: runs, seed },
      );
    });

    it("delivers each sequence or covers it by a gap that its sender cannot fill, over several incarnations of both", async () => {
      await fc.assert(
        fc.asyncProperty(fates, total, actionsOf(restart, outage), async (drawn, sequences, actions) => {
          const { logs, lostBySender, lostByReceiver } = await check(
            { fates: drawn, total: sequences, isDropping: false },
            actions,
          );
          const lost = Math.max(lostBySender, lostByReceiver);
          expect(logs.flatMap(gapsIn).filter((sequence) => sequence > lost)).toEqual([]);
        }),
        { numRuns: runs, seed },
      );
    });

    it("drops nothing but replaceable messages, each covered by a gap, when the sender may drop", async () => {
      await fc.assert(
        fc.asyncProperty(fates, total, actionsOf(outage), async (drawn, sequences, actions) => {
          const { logs } = await check({ fates: drawn, total: sequences, isDropping: true }, actions);
          expect(logs.flatMap(gapsIn).filter((sequence) => sequence % 5 === 0)).toEqual([]);
        }),
        { numRuns: runs, seed },
      );
    });
  });
}

async function perform(scene: StreamScene, { kind, count = 0, back = 0 }: Action): Promise<void> {
  switch (kind) {
    case "post":
      scene.post();
      return;
    case "consume":
      return scene.consume(count);
    case "tick":
      return scene.tick();
    case "restart-sender":
      scene.restartSender(back);
      return;
    case "restart-receiver":
      return scene.restartReceiver(back);
    default:
      return scene.outage();
  }
}

/** Each entry continues where the one before ended: a message by one, a gap by one or more. */
function expectInOrder({ start, taken }: ReceiverLog): void {
  let last = start;
  for (const entry of taken) {
    if (entry.kind === "message") expect(entry.last).toBe(last + 1);
    else expect(entry.last).toBeGreaterThan(last);
    last = entry.last;
  }
}

function gapsIn({ start, taken }: ReceiverLog): number[] {
  return taken.flatMap(({ kind, last }, index) => {
    const before = taken[index - 1]?.last ?? start;
    return kind === "gap" ? Array.from({ length: last - before }, (_, offset) => before + 1 + offset) : [];
  });
}
