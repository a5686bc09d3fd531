import { describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/runtime/clock/index.ts";

describe("SystemClock", () => {
  it("setTimeout fires, and sleep lets time pass", async () => {
    const clock = systemClock();
    const startMs = clock.now();
    let hasFired = false;
    clock.setTimeout(() => {
      hasFired = true;
    }, 1);
    await clock.sleep(5);
    expect(hasFired).toBe(true);
    expect(clock.now()).toBeGreaterThan(startMs);
  });

  it("setTimeout waits for a delay beyond Node's 24.8 days instead of firing at once", async () => {
    const clock = systemClock();
    let hasFired = false;
    const timer = clock.setTimeout(() => {
      hasFired = true;
    }, 2 ** 31);
    await clock.sleep(10);
    clock.clearTimeout(timer);
    expect(hasFired).toBe(false);
  });

  it("sleep rejects with the signal's reason on abort", async () => {
    const reason = new Error("enough");
    await expect(systemClock().sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
