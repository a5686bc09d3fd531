/**
 * Backends: native, wasm, cpu, chosen automatically or by name, once per thread.
 *
 * @example
 * const { name, threads } = await selectBackend("auto"); // "native", 8
 * await selectBackend("native"); // rejects with KN_UNAVAILABLE where it does not compute
 */
export { BACKEND_NAMES, type BackendInfo, type BackendName, type BackendPreference } from "./backend-info.ts";
export {
  type AbsentBackend,
  type BackendDescription,
  describeBackends,
  type PresentBackend,
} from "./describe-backends.ts";
export { selectBackend } from "./select-backend.ts";
export { TRAINING_KERNELS } from "./training-kernels.ts";
