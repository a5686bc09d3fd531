/**
 * Backends: native, wasm, cpu, chosen automatically or by name, once per thread.
 *
 * @example
 * const { name, threads } = await selectBackend("auto"); // "native", 8
 * await selectBackend("native"); // rejects with KN_UNAVAILABLE where it does not compute
 */
export type { BackendInfo, BackendName, BackendPreference } from "./backend-info.ts";
export { nativeThreads } from "./native-backend.ts";
export { selectBackend } from "./select-backend.ts";
