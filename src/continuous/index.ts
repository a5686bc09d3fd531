/**
 * Continuous training without actors. Pure: no clock, no ambient randomness, no tensors.
 *
 * `observation` chooses what the oracle sees; `replay` keeps what the learner trains on again; `gate` promotes, refuses
 * and rolls back; `drift` asks for labels and training; `alarms` asks for a look; `statistics` is what they compute with.
 */
export * from "./alarms/index.ts";
export * from "./drift/index.ts";
export * from "./gate/index.ts";
export * from "./observation/index.ts";
export * from "./replay/index.ts";
export { type KolmogorovSmirnovTest, kolmogorovSmirnovTest } from "./statistics/index.ts";
