/** `npm run bench [-- FOLDER]`: compiles when needed, then measures; see tools/bench/main.ts. */
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ensureBuilt, root } from "./ensure-built.js";

// libtensorflow reads these when it is loaded.
process.env.TF_CPP_MIN_LOG_LEVEL ??= "3";
process.env.TF_ENABLE_ONEDNN_OPTS ??= "0";

ensureBuilt();
await import(pathToFileURL(join(root, "dist", "tools", "bench", "main.js")).href);
