/**
 * Time behind a port: the real clock, and a simulated one that a test advances.
 *
 * @example
 * const clock = simulatedClock();
 * clock.setTimeout(() => console.log("a second has passed"), 1_000);
 * await clock.advance(1_000); // a second has passed
 */
export type { Clock, TimerHandle } from "./clock.ts";
export { type SimulatedClock, type SimulatedClockOptions, simulatedClock } from "./simulated-clock.ts";
export { settlesWithin } from "./sleep.ts";
export { systemClock } from "./system-clock.ts";
