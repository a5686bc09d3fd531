#!/usr/bin/env node
// The `kn` command: compiled code when it is there, a clear word when it is not.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// libtensorflow reads these when it is loaded; they have to be set before any thread starts.
process.env.TF_CPP_MIN_LOG_LEVEL ??= "3";
// oneDNN reorders sums and prints a notice that no log level silences; results stay comparable without it.
process.env.TF_ENABLE_ONEDNN_OPTS ??= "0";

const entry = new URL("../dist/src/apps/cli/main.js", import.meta.url);
if (!existsSync(fileURLToPath(entry))) {
  process.stderr.write(
    "kn: the compiled code is missing; run `npm install` or `npm run build` in the package's folder\n",
  );
  process.exit(1);
}
const { main } = await import(entry.href);
// What is still open (a request to a server that is away) is nobody's any more and must not keep the process.
process.exit(await main(process.argv.slice(2)));
