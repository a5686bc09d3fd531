import { describe, expect, it } from "vitest";
import { createActor, fromPromise } from "xstate";
import { type CoordinatorEvent, coordinatorMachine } from "../../../../src/actors/coordinator/coordinator-machine.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";

const STOP_DEADLINE_MS = 4_000;

type Effect = "awaitActors" | "startFeeding" | "pauseFeeding" | "saveAll";

function start(failing: Partial<Record<Effect, Error>> = {}) {
  const clock = simulatedClock();
  const done: Effect[] = [];
  const effect = (name: Effect) =>
    fromPromise<void>(() => {
      const error = failing[name];
      if (error !== undefined) return Promise.reject(error);
      done.push(name);
      return Promise.resolve();
    });
  const actor = createActor(
    coordinatorMachine.provide({
      actors: {
        awaitActors: effect("awaitActors"),
        startFeeding: effect("startFeeding"),
        pauseFeeding: effect("pauseFeeding"),
        saveAll: effect("saveAll"),
      },
    }),
    { input: { stopDeadlineMs: STOP_DEADLINE_MS }, clock: clock as never },
  );
  actor.subscribe({ error: () => undefined });
  actor.start();
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    done,
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

describe("coordinatorMachine", () => {
  it("waits for the actors, feeds, saves at each epoch and goes on, saves at the end and completes", async () => {
    const test = start();
    expect(test.state()).toBe("preparing");
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

  it("a stop that takes too long ends without a new checkpoint", async () => {
    const test = start();
    await test.settle();
    await test.send({ type: "StopRequested" });
    await test.clock.advance(STOP_DEADLINE_MS - 1);
    expect(test.state()).toBe("pausing");
    await test.clock.advance(1);
    expect(test.state()).toBe("stopped");
    expect(test.done).not.toContain("saveAll");
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
