/** Backends: native, wasm, cpu, chosen automatically or by name. */
export { BACKEND_NAMES, type BackendInfo, type BackendName, type BackendPreference, selectBackend } from "./select-backend.ts";
