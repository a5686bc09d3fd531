import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { createWorkerBoundActor } from "../../../src/jobs/worker-bound-actor.ts";
import type { Actor } from "../../../src/runtime/actor/index.ts";

const LOST = new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "compute", rule: "the worker must be running" });

function scene() {
  let finish: (outcome: void | Error) => void = () => undefined;
  const calls: string[] = [];
  const inner: Actor = {
    id: "gradient-0",
    state: "running.idle",
    ended: new Promise((resolve) => {
      finish = resolve;
    }),
    start: async () => {
      calls.push("start");
    },
    stop: async (options) => {
      calls.push(options?.isSaving === true ? "stop and save" : "stop");
      finish();
    },
  };
  const listeners = new Set<(error: KnowledgeNetError) => void>();
  const actor = createWorkerBoundActor(inner, {
    onWorkerLost(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  });
  const loseWorker = (): void => {
    for (const listener of [...listeners]) listener(LOST);
  };
  return { actor, calls, listeners, loseWorker, fail: finish };
}

describe("createWorkerBoundActor", () => {
  it("ends an idle actor with KN_UNAVAILABLE when the worker is lost, without a save: its unit is gone", async () => {
    const { actor, calls, loseWorker, listeners } = scene();
    await actor.start();
    loseWorker();
    expect(await actor.ended).toBe(LOST);
    expect(calls).toEqual(["start", "stop"]);
    expect(listeners.size).toBe(0);
  });

  it("ends as the actor does: with nothing after a stop, with its own error after a failure", async () => {
    const stopped = scene();
    await stopped.actor.stop({ isSaving: true });
    expect(await stopped.actor.ended).toBeUndefined();
    expect(stopped.calls).toEqual(["stop and save"]);

    const failed = scene();
    const own = new Error("its own");
    failed.fail(own);
    expect(await failed.actor.ended).toBe(own);
    failed.loseWorker();
    expect(failed.calls).toEqual([]);
  });
});
