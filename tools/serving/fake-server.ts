/**
 * A server of the Open Inference Protocol with the fake linear model: for the conformance suite, for clients, and for the
 * front end's own time. Prints its address; ends with SIGTERM, after a drain.
 *
 *     node dist/tools/serving/fake-server.js [--http 127.0.0.1:8080] [--model digits] [--input 28,28,1] [--max-batch 32]
 */
import { parseArgs } from "node:util";
import { serveInference } from "../../src/apps/http/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { fakeServedModel } from "../../test/support/fake-served-model.ts";

const { values } = parseArgs({
  options: {
    http: { type: "string", default: "127.0.0.1:8080" },
    model: { type: "string", default: "digits" },
    input: { type: "string", default: "28,28,1" },
    "max-batch": { type: "string", default: "32" },
  },
});
const model = fakeServedModel({
  name: values.model,
  input: values.input.split(",").map(Number),
  maxBatch: Number(values["max-batch"]),
});
const http = await serveInference(
  { address: values.http },
  { models: () => [model], unready: () => [], clock: systemClock(), log: silentLogger, version: "0.1.0" },
);
console.log(`http://${http.address}`);
process.once("SIGTERM", () => {
  http.close({ graceMs: 5000 }).catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
});
