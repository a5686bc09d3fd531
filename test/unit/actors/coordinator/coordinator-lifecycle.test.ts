import { describe, expect, it } from "vitest";
import { createActor, fromPromise } from "xstate";
import {
  type CoordinatorEvent,
  coordinatorLifecycle,
  type SaveInput,
} from "../../../../src/actors/coordinator/coordinator-lifecycle.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const STOP_DEADLINE_MS = 4_000;
const SAVE_DEADLINE_MS = 60_000;

type Effect = "awaitActors" | "startFeeding" | "pauseFeeding" | "saveAll";

function start(failing: Partial<Record<Effect, Error>> = {}, { hangs }: { readonly hangs?: Effect } = {}) {
  const clock = simulatedClock();
  const done: Effect[] = [];
  const saved: SaveInput[] = [];
  const run = (name: Effect): Promise<void> => {
    if (name === hangs) return new Promise(() => undefined);
    const error = failing[name];
    if (error !== undefined) return Promise.reject(error);
    done.push(name);
    return Promise.resolve();
  };
  const actor = createActor(
    coordinatorLifecycle.provide({
      actors: {
        open: fromPromise(() => Promise.resolve()),
        awaitActors: fromPromise(() => run("awaitActors")),
        startFeeding: fromPromise(() => run("startFeeding")),
        pauseFeeding: fromPromise(() => run("pauseFeeding")),
        saveAll: fromPromise<void, SaveInput>(({ input }) => {
          saved.push(input);
          return run("saveAll");
        }),
      },
    }),
    { input: { stopDeadlineMs: STOP_DEADLINE_MS, saveDeadlineMs: SAVE_DEADLINE_MS }, clock: clock as never },
  );
  actor.subscribe({ error: () => undefined });
  actor.start();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    done,
    saved,
    settle,
    state: () => actor.getSnapshot().value,
    output: () => actor.getSnapshot().output,
    async send(event: CoordinatorEvent) {
      actor.send(event);
      await settle();
    },
  };
}

const mark = (reached: "epoch-ended" | "paused" | "finished"): CoordinatorEvent => ({
  type: "MarkReached",
  mark: reached,
});

describe("coordinatorLifecycle", () => {
  it("waits for the actors, feeds, saves at each epoch and goes on, saves at the end and completes", async () => {
    const test = start();
    expect(test.state()).toBe("starting");
    await test.settle();
    expect(test.state()).toBe("feeding");
    await test.send(mark("epoch-ended"));
    expect(test.state()).toBe("feeding");
    await test.send(mark("finished"));
    expect(test.state()).toBe("completed");
    expect(test.done).toEqual(["awaitActors", "startFeeding", "saveAll", "startFeeding", "saveAll"]);
    expect(test.output()).toEqual({});
  });

  it("a stop pauses the feeder, saves when everything is consumed, and ends", async () => {
    const test = start();
    await test.settle();
    await test.send({ type: "StopRequested" });
    expect(test.state()).toBe("pausing");
    await test.send(mark("paused"));
    expect(test.state()).toBe("stopped");
    expect(test.done).toEqual(["awaitActors", "startFeeding", "pauseFeeding", "saveAll"]);
  });

  it("a stop that meets the end of the run completes it", async () => {
    const test = start();
    await test.settle();
    await test.send({ type: "StopRequested" });
    await test.send(mark("finished"));
    expect(test.state()).toBe("completed");
  });

  it("saves each actor as it stands when the batches in flight are not consumed by the stop deadline", async () => {
    const test = start();
    await test.settle();
    await test.send({ type: "StopRequested" });
    await test.clock.advance(STOP_DEADLINE_MS - 1);
    expect(test.state()).toBe("pausing");
    await test.clock.advance(1);
    await test.settle();
    expect(test.state()).toBe("stopped");
    expect(test.done.at(-1)).toBe("saveAll");
    expect(test.saved).toEqual([{ isLast: false, isLate: true, isStopping: true }]);
  });

  it("stops without a checkpoint when the one of a late stop fails, or takes longer than the save deadline", async () => {
    const failing = start({ saveAll: new Error("away") });
    await failing.settle();
    await failing.send({ type: "StopRequested" });
    await failing.clock.advance(STOP_DEADLINE_MS);
    await failing.settle();
    expect(failing.state()).toBe("stopped");
    expect(failing.output()).toEqual({});

    const slow = start({}, { hangs: "saveAll" });
    await slow.settle();
    await slow.send({ type: "StopRequested" });
    await slow.send(mark("paused"));
    expect(slow.state()).toBe("saving");
    await slow.clock.advance(SAVE_DEADLINE_MS);
    expect(slow.state()).toBe("stopped");
  });

  it("a stop that comes during a save gives it the whole save deadline, from the first request on", async () => {
    const test = start({}, { hangs: "saveAll" });
    await test.settle();
    await test.send(mark("epoch-ended"));
    await test.clock.advance(SAVE_DEADLINE_MS - 1_000);
    await test.send({ type: "StopRequested" });
    for (let leftMs = SAVE_DEADLINE_MS; leftMs > 0; leftMs -= 1_000) {
      expect(test.state()).toBe("saving");
      await test.clock.advance(1_000);
      await test.send({ type: "StopRequested" }); // repeated while the stop is desired
    }
    expect(test.state()).toBe("stopped");
  });

  it("a stop that comes long into a save does not wait for ever", async () => {
    const test = start({}, { hangs: "saveAll" });
    await test.settle();
    await test.send(mark("finished"));
    await test.clock.advance(3 * SAVE_DEADLINE_MS);
    expect(test.state()).toBe("saving");
    await test.send({ type: "StopRequested" });
    await test.clock.advance(SAVE_DEADLINE_MS);
    expect(test.state()).toBe("stopped");
  });

  it("a stop before the actors are ready ends without feeding", async () => {
    const test = start();
    await test.send({ type: "StopRequested" });
    expect(test.state()).toBe("stopped");
    expect(test.done).toEqual(["awaitActors"]);
  });

  for (const failing of ["awaitActors", "startFeeding", "saveAll"] as const) {
    it(`fails with the error when ${failing} does`, async () => {
      const error = new Error(failing);
      const test = start({ [failing]: error });
      await test.settle();
      await test.send(mark("epoch-ended"));
      expect(test.state()).toBe("failed");
      expect(test.output()).toEqual({ error });
    });
  }

  it("has the feeder begin again when it holds still, but not while the run pauses", async () => {
    const test = start();
    await test.settle();
    await test.send({ type: "FeederHolds" });
    expect(test.state()).toBe("feeding");
    expect(test.done).toEqual(["awaitActors", "startFeeding", "startFeeding"]);
    await test.send({ type: "StopRequested" });
    await test.send({ type: "FeederHolds" });
    expect(test.state()).toBe("pausing");
    expect(test.done.at(-1)).toBe("pauseFeeding");
  });

  it("ends at once, without another effect, when it is abandoned", async () => {
    const test = start();
    await test.settle();
    await test.send({ type: "Abandoned" });
    expect(test.state()).toBe("abandoned");
    expect(test.output()).toEqual({});
    expect(test.done).toEqual(["awaitActors", "startFeeding"]);
  });

  it("fails with the error when pausing does, and when an actor has failed for good", async () => {
    const error = new Error("gone");
    const pausing = start({ pauseFeeding: error });
    await pausing.settle();
    await pausing.send({ type: "StopRequested" });
    expect(pausing.output()).toEqual({ error });

    const feeding = start();
    await feeding.settle();
    await feeding.send({ type: "ActorFailed", error });
    expect(feeding.state()).toBe("failed");
    expect(feeding.output()).toEqual({ error });
  });
});
