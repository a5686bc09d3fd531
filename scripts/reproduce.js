/** `npm run reproduce -- mnist`: compiles when needed, then runs what is not finished; see tools/reproduce/main.ts. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, root } from "./ensure-built.js";

ensureBuilt();
await import(pathToFileURL(join(root, "dist", "tools", "reproduce", "main.js")).href);
