/**
 * KnowledgeNet as a library: the doors of all layers. The command line (`kn`) is the usual way in.
 *
 * @example
 * // One training run in this process; test/unit/index.test.ts runs it.
 * import { createPhaseRun, describeSlices, memoryBus, memoryStore, parseSpec, silentLogger, systemClock } from "knowledgenet";
 *
 * const spec = parseSpec(yaml, { file: "run.yaml" });
 * const clock = systemClock();
 * const run = createPhaseRun(
 *   { name: "first", spec, ...(await describeSlices(spec)), phase: "training", attempt: 1, backend: "auto",
 *     softwareVersion: "0.1.0" },
 *   { bus: memoryBus({ clock }), store: await memoryStore({ clock }), clock, log: silentLogger, dataset },
 * );
 * await run.start();
 * const { outcome, record } = await run.ended; // "completed"
 */
export * from "./actors/block/index.ts";
export * from "./actors/coordinator/index.ts";
export * from "./actors/feeder/index.ts";
export * from "./actors/gradient-model/index.ts";
export * from "./actors/student-section/index.ts";
export * from "./actors/teacher-section/index.ts";
export * from "./compute/index.ts";
export * from "./data/index.ts";
export * from "./errors/index.ts";
export * from "./jobs/index.ts";
export * from "./messages/index.ts";
export * from "./models/index.ts";
export * from "./runtime/actor/index.ts";
export * from "./runtime/artifacts/index.ts";
export * from "./runtime/bus/index.ts";
export * from "./runtime/clock/index.ts";
export * from "./runtime/store/index.ts";
export * from "./runtime/telemetry/index.ts";
export * from "./run-spec/index.ts";
