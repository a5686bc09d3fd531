import { describe, expect, it } from "vitest";
import type { ConnectedFleet, connectFleet } from "../../../../src/apps/connect/connect-fleet.ts";
import { reachFleet } from "../../../../src/apps/connect/reach-fleet.ts";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { simulatedClock } from "../../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";

const failure = (code: "KN_UNAVAILABLE" | "KN_CONFIG", rule: string): KnowledgeNetError =>
  new KnowledgeNetError(code, { attempt: "connect", rule });

/** Attempts end with these, one after the other; then with a connection. */
function scene(
  failures: readonly KnowledgeNetError[],
  { isPatient = true, signal = new AbortController().signal } = {},
) {
  const clock = simulatedClock();
  const obstacles: string[] = [];
  const connected = {} as ConnectedFleet;
  let attempts = 0;
  const connect: typeof connectFleet = () => {
    const error = failures[attempts];
    attempts += 1;
    return error === undefined ? Promise.resolve(connected) : Promise.reject(error);
  };
  const found = reachFleet(
    { address: "nats://away:4222", name: "test", signal, isPatient },
    { clock, log: silentLogger, connect, onObstacle: (reason) => obstacles.push(reason) },
  );
  found.catch(() => undefined);
  return { clock, connected, found, obstacles, attempts: () => attempts };
}

describe("reachFleet", () => {
  it("waits for a server that is not there yet, and reports each obstacle once", async () => {
    const away = failure("KN_UNAVAILABLE", "the server must answer");
    const { clock, connected, found, obstacles } = scene([away, away, failure("KN_UNAVAILABLE", "JetStream")]);
    await clock.advance(3_000);
    expect(await found).toBe(connected);
    expect(obstacles).toEqual([expect.stringContaining("must answer"), expect.stringContaining("JetStream")]);
  });

  it("rejects at once with what time does not change, or without patience", async () => {
    await expect(scene([failure("KN_CONFIG", "credentials")]).found).rejects.toMatchObject({ code: "KN_CONFIG" });
    const impatient = scene([failure("KN_UNAVAILABLE", "away")], { isPatient: false });
    await expect(impatient.found).rejects.toMatchObject({ code: "KN_UNAVAILABLE" });
    expect(impatient.obstacles).toEqual([]);
  });

  it("ends its wait with the signal", async () => {
    const leaving = new AbortController();
    const away = failure("KN_UNAVAILABLE", "away");
    const { clock, found, attempts } = scene([away, away, away], { signal: leaving.signal });
    await clock.advance(1_500);
    leaving.abort();
    expect(await found).toBeUndefined();
    expect(attempts()).toBe(2);
  });
});
