/** WebAssembly (SIMD, one thread: tfjs has no threads for it under Node). Always installed, trains with our kernels. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as Wasm from "@tensorflow/tfjs-backend-wasm";

// The package is CommonJS under Node; an import would resolve to the same file, a bundler's to another one.
const require = createRequire(import.meta.url);

/** Registers the backend with tfjs, its binaries taken from the package's own folder. Safe to call twice. */
export function loadWasm(): void {
  const wasm = require("@tensorflow/tfjs-backend-wasm") as typeof Wasm;
  const folder = join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist");
  wasm.setWasmPaths(`${folder}/`);
}
