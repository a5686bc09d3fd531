import { describe, expect, it } from "vitest";
import { createActor, fromPromise } from "xstate";
import {
  type FeederEvent,
  type FeederMarkKind,
  feederLifecycle,
} from "../../../../src/actors/feeder/feeder-lifecycle.ts";

async function start(opens = true) {
  const announced: FeederMarkKind[] = [];
  let published = 0;
  let checked = 0;
  const actor = createActor(
    feederLifecycle.provide({
      actors: {
        open: fromPromise(() => (opens ? Promise.resolve() : Promise.reject(new Error("no data")))),
        close: fromPromise(() => Promise.resolve()),
      },
      actions: {
        publish: () => {
          published += 1;
        },
        announce: (_, mark) => {
          announced.push(mark);
        },
        checkDrained: () => {
          checked += 1;
        },
      },
    }),
  );
  actor.subscribe({ error: () => undefined });
  actor.start();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await settle();
  return {
    announced,
    settle,
    published: () => published,
    checked: () => checked,
    state: () => actor.getSnapshot().value,
    output: () => actor.getSnapshot().output,
    send: (...events: FeederEvent[]) => {
      for (const event of events) actor.send(event);
    },
  };
}

const credit = (isDrained: boolean): FeederEvent => ({ type: "Credit", isDrained });
const epoch = (isLast: boolean): FeederEvent => ({ type: "EpochPublished", isLast, isDrained: false });

describe("feederLifecycle", () => {
  it("holds still until it is told to start, then publishes on entry and on every credit", async () => {
    const test = await start();
    expect(test.state()).toBe("holding");
    test.send(credit(true));
    expect(test.published()).toBe(0);
    test.send({ type: "Start" }, credit(false), credit(true));
    expect(test.state()).toBe("feeding");
    expect(test.published()).toBe(3);
  });

  it("drains at the end of an epoch, announces it once everything is consumed, and goes on when told", async () => {
    const test = await start();
    test.send({ type: "Start" }, epoch(false), credit(false));
    expect(test.state()).toBe("draining");
    expect(test.checked()).toBe(1);
    expect(test.announced).toEqual([]);
    test.send(credit(true));
    expect(test.state()).toBe("holding");
    expect(test.announced).toEqual(["epoch-ended"]);
    test.send({ type: "Start" });
    expect(test.state()).toBe("feeding");
  });

  it("announces the end after the last epoch, again for whoever asks", async () => {
    const test = await start();
    test.send({ type: "Start" }, epoch(true), credit(true));
    expect(test.state()).toBe("finished");
    test.send({ type: "Start" }, { type: "Pause" });
    expect(test.announced).toEqual(["finished", "finished", "finished"]);
  });

  it("pauses while feeding, and says so again when it holds still already", async () => {
    const test = await start();
    test.send({ type: "Start" }, { type: "Pause" });
    expect(test.state()).toBe("draining");
    test.send(credit(true), { type: "Pause" });
    expect(test.state()).toBe("holding");
    expect(test.announced).toEqual(["paused", "paused"]);
  });

  it("a start takes back a pause that is still draining, but not the end of an epoch", async () => {
    const test = await start();
    test.send({ type: "Start" }, { type: "Pause" }, { type: "Start" });
    expect(test.state()).toBe("feeding");
    test.send(epoch(false), { type: "Pause" }, { type: "Start" });
    expect(test.state()).toBe("draining");
    test.send(credit(true));
    expect(test.announced).toEqual(["epoch-ended"]);
  });

  it("ends on Stop from anywhere, and with the error on a failure", async () => {
    const stopped = await start();
    stopped.send({ type: "Start" }, { type: "Stop" });
    await stopped.settle();
    expect(stopped.state()).toBe("stopped");
    expect(stopped.output()).toEqual({});

    const failed = await start();
    const error = new Error("disk gone");
    failed.send({ type: "Start" }, { type: "Failed", error });
    await failed.settle();
    expect(failed.state()).toBe("failed");
    expect(failed.output()).toEqual({ error });

    const unopened = await start(false);
    await unopened.settle();
    expect(unopened.state()).toBe("failed");
    expect(unopened.output()).toEqual({ error: new Error("no data") });
  });
});
