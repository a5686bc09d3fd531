/** `npm run reproduce -- mnist`: compiles when needed, then runs what is not finished; see src/apps/reproduce/main.ts. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, root } from "./ensure-built.js";

ensureBuilt();
await import(pathToFileURL(join(root, "dist", "apps", "reproduce", "main.js")).href);
