/**
 * KnowledgeNet as a library: the layers' doors. The command line (`kn`) is the usual way in.
 *
 * @example
 * import { memoryBus, parseSpec, runSubject } from "knowledgenet";
 */
export * from "./compute/index.ts";
export * from "./data/index.ts";
export * from "./errors/index.ts";
export * from "./messages/index.ts";
export * from "./runtime/actor/index.ts";
export * from "./runtime/bus/index.ts";
export * from "./runtime/artifacts/index.ts";
export * from "./runtime/clock/index.ts";
export * from "./runtime/store/index.ts";
export * from "./runtime/telemetry/index.ts";
export * from "./run-spec/index.ts";
