import { expect, it } from "vitest";
import { settlesWithin, simulatedClock } from "../../../../src/runtime/clock/index.ts";

it("settlesWithin returns whether the work settled in time, and rejects as it does", async () => {
  const clock = simulatedClock();
  expect(await settlesWithin(100, Promise.resolve(1), clock)).toBe(true);
  await expect(settlesWithin(100, Promise.reject(new RangeError("no")), clock)).rejects.toThrow(RangeError);
  const late = settlesWithin(100, new Promise(() => undefined), clock);
  await clock.advance(99);
  await clock.advance(1);
  expect(await late).toBe(false);
});
