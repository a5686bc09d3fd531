import { expect, it } from "vitest";
import { endsWithin, simulatedClock } from "../../../../src/runtime/clock/index.ts";

it("endsWithin says whether the work was done in time, and passes on its failure", async () => {
  const clock = simulatedClock();
  expect(await endsWithin(100, Promise.resolve(1), clock)).toBe(true);
  await expect(endsWithin(100, Promise.reject(new RangeError("no")), clock)).rejects.toThrow(RangeError);
  const late = endsWithin(100, new Promise(() => undefined), clock);
  await clock.advance(99);
  await clock.advance(1);
  expect(await late).toBe(false);
});
