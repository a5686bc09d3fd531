import { describe, expect, it } from "vitest";
import { type ErrorCode, KnowledgeNetError } from "../../../../src/errors/index.ts";
import { type Actor, createSupervisor } from "../../../../src/runtime/actor/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";

const error = (code: ErrorCode): KnowledgeNetError => new KnowledgeNetError(code, { attempt: "test", rule: "none" });

/** Actors that end when the test says so. */
function scene(
  options: {
    readonly maxRestarts?: number;
    readonly failsToStart?: readonly number[];
    readonly startError?: ErrorCode;
  } = {},
) {
  const clock = simulatedClock();
  const ends: ((outcome: void | Error) => void)[] = [];
  const directives: string[] = [];
  const supervisor = createSupervisor(
    {
      backoffMs: 100,
      maxBackoffMs: 1_000,
      ...(options.maxRestarts === undefined ? {} : { maxRestarts: options.maxRestarts }),
    },
    {
      clock,
      log: silentLogger,
      onFailure: (_, directive) => directives.push(directive),
      factory(attempt): Actor {
        let end: (outcome: void | Error) => void = () => undefined;
        const ended = new Promise<void | Error>((resolve) => {
          end = resolve;
        });
        ends[attempt] = end;
        return {
          id: "actor",
          state: "running",
          ended,
          start: () =>
            options.failsToStart?.includes(attempt) === true
              ? Promise.reject(error(options.startError ?? "KN_UNAVAILABLE"))
              : Promise.resolve(),
          stop() {
            end();
            return Promise.resolve();
          },
        };
      },
    },
  );
  return { clock, ends, directives, supervisor };
}

describe("createSupervisor", () => {
  it("restarts after a back-off that doubles", async () => {
    const { clock, ends, directives, supervisor } = scene();
    await supervisor.start();
    ends[0]?.(error("KN_NUMERIC"));
    await clock.advance(99);
    expect(supervisor.restarts).toBe(0);
    await clock.advance(1);
    expect(supervisor.restarts).toBe(1);
    ends[1]?.(error("KN_NUMERIC"));
    await clock.advance(199);
    expect(supervisor.restarts).toBe(1);
    await clock.advance(1);
    expect(supervisor.restarts).toBe(2);
    expect(directives).toEqual(["restart", "restart"]);
    await supervisor.stop();
    expect(await supervisor.ended).toBeUndefined();
  });

  it("escalates what cannot be mended, and what comes back too often", async () => {
    const first = scene();
    await first.supervisor.start();
    first.ends[0]?.(error("KN_SHAPE"));
    expect(await first.supervisor.ended).toMatchObject({ code: "KN_SHAPE" });

    const second = scene({ maxRestarts: 1 });
    await second.supervisor.start();
    second.ends[0]?.(error("KN_NUMERIC"));
    await second.clock.advance(100);
    second.ends[1]?.(error("KN_NUMERIC"));
    expect(await second.supervisor.ended).toMatchObject({ code: "KN_NUMERIC" });
    expect(second.directives).toEqual(["restart", "escalate"]);
  });

  it("ends quietly when the actor was fenced, or has ended well", async () => {
    for (const outcome of [error("KN_FENCED"), undefined]) {
      const { ends, supervisor } = scene();
      await supervisor.start();
      ends[0]?.(outcome);
      expect(await supervisor.ended).toBeUndefined();
      expect(supervisor.restarts).toBe(0);
    }
  });

  it("tries again when the new one does not start, within the same bound", async () => {
    const { clock, ends, supervisor } = scene({ failsToStart: [1, 2] });
    await supervisor.start();
    ends[0]?.(error("KN_NUMERIC"));
    await clock.advance(100 + 200 + 400);
    expect(supervisor.restarts).toBe(3);
    await supervisor.stop();
  });

  it("stop during the back-off ends it without another incarnation", async () => {
    const { clock, ends, supervisor } = scene();
    await supervisor.start();
    ends[0]?.(error("KN_NUMERIC"));
    await clock.advance(50);
    await supervisor.stop();
    await clock.advance(1_000);
    expect(supervisor.restarts).toBe(0);
    expect(await supervisor.ended).toBeUndefined();
  });

  it("restarts when the first one does not start, by the same rule as later", async () => {
    const { clock, directives, supervisor } = scene({ failsToStart: [0, 1] });
    const starting = supervisor.start();
    await clock.advance(100 + 200);
    await starting;
    expect(supervisor.restarts).toBe(2);
    expect(directives).toEqual(["restart", "restart"]);
    await supervisor.stop();
  });

  it("start rejects with the error that escalates before the first one runs", async () => {
    const { clock, supervisor } = scene({ failsToStart: [0, 1], maxRestarts: 1 });
    const starting = supervisor.start();
    starting.catch(() => undefined); // asserted below
    await clock.advance(100);
    await expect(starting).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(await supervisor.ended).toMatchObject({ code: "KN_UNAVAILABLE" });
  });

  it("ends quietly when a restarted one finds itself fenced", async () => {
    const { clock, ends, directives, supervisor } = scene({ failsToStart: [1], startError: "KN_FENCED" });
    await supervisor.start();
    ends[0]?.(error("KN_NUMERIC"));
    await clock.advance(100);
    expect(await supervisor.ended).toBeUndefined();
    expect(directives).toEqual(["restart", "stop"]);
  });

  it("stop before the first one runs ends the start too", async () => {
    const { clock, supervisor } = scene({ failsToStart: [0] });
    const starting = supervisor.start();
    await clock.advance(0);
    await supervisor.stop();
    await starting;
    expect(await supervisor.ended).toBeUndefined();
  });
});
