/**
 * The samples that the learner trains on again.
 *
 * @example
 * const memory = createReplayMemory({ seed: 1, classes: 10, sampleShape: [28, 28, 1] });
 * if (memory.needsLabel(values)) memory.offer({ values, softLabel: await ask(values), oracleVersion: "3", window: 7 });
 * train(memory.draw(32, step));
 */
export { createReplayMemory, type ReplayMemory } from "./replay-memory.ts";
export type { ReplayInput, ReplayOptions } from "./replay-options.ts";
export { contentDigest, type LabelledInput, type NotTaken, type ReplaySample } from "./replay-sample.ts";
export type { ReplayState } from "./replay-state.ts";
