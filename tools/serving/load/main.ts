/** The generator's process, started by run-load.ts: options come over the pipe, the result goes back over it. */
import { setPriority } from "node:os";
import process from "node:process";
import { type Clock, systemClock } from "../../../src/runtime/clock/index.ts";
import { generateLoad } from "./generate-load.ts";
import { httpWire } from "./http-wire.ts";
import type { LoadOptions, ToGenerator } from "./load-options.ts";
import type { LoadResult } from "./load-records.ts";
import { monotonicMs } from "./monotonic.ts";
import { natsWire } from "./nats-wire.ts";
import type { Wire } from "./wire.ts";

const MICROSECONDS = 1e6;
/** Ahead of the server that it shares the machine with: a generator that is late measures itself. */
const PRIORITY = -15;
const stopping = new AbortController();
try {
  setPriority(PRIORITY);
} catch {
  // Without the right to it lateness is reported: `lagMs`.
}

process.on("message", (message: ToGenerator) => {
  if (message.kind === "stop") {
    stopping.abort();
    return;
  }
  run(message.options).then(
    (result) =>
      process.send?.(result, () => {
        process.disconnect();
      }),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => {
  process.exit(); // nobody waits for the result
});

async function run(options: LoadOptions): Promise<LoadResult> {
  const wire = await openWire(options);
  const clock: Clock = { ...systemClock(), now: monotonicMs };
  const before = process.cpuUsage();
  const { records, startedMs, texts } = await generateLoad(options, { wire, clock, signal: stopping.signal });
  const { user, system } = process.cpuUsage(before);
  const seconds = (monotonicMs() - startedMs) / 1_000;
  await wire.close();
  return {
    records,
    startedMs,
    seconds,
    cpuSeconds: (user + system) / MICROSECONDS,
    texts,
    marks: [],
    streams: options.streams.map(({ name }) => name),
    warmUpMs: options.warmUpMs ?? 0,
  };
}

async function openWire({ target, images, streams }: LoadOptions): Promise<Wire> {
  const maxSamples = Math.max(...streams.map(({ samples = 1 }) => samples));
  const wireOptions = { url: target.url, model: target.model, images, maxSamples };
  if (target.kind === "nats") return natsWire(wireOptions);
  return httpWire({ ...wireOptions, encoding: target.encoding ?? "binary" });
}
