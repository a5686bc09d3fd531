/**
 * Observations of a model: inputs of live traffic that an observer has chosen, in a bounded log.
 *
 * @example
 * const log = await openObservationLog(store, "digits", { maxEntries: 20_000 });
 * await log.append(observed);
 * for await (const { position, observation } of log.read({ from: next })) {
 *   next = position + 1;
 *   if (observation !== undefined) learn(observation);
 * }
 */
export { type ObservationEntry, type ObservationLog, observationsOf, openObservationLog } from "./observation-log.ts";
