/** Blobs in two places: a local folder and the shared store. */
export { mirroredStore, type MirroredStoreDeps } from "./mirrored-store.ts";
