/** Requests per second that the load generator can send and check, on one core: a figure near it says nothing of a server. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../../setup/index.ts";
import { type LoadReport, runLoad } from "../../serving/load/index.ts";

const SERVER = join(PACKAGE_ROOT, "dist", "tools", "bench", "serving", "trivial-server.js");
/** 28 x 28 floats are 3 KB. */
const SAMPLE = [28, 28, 1];

export interface GeneratorCeiling {
  readonly offeredPerSecond: number;
  readonly answeredPerSecond: number;
  /** Processor time of the generator for each second. */
  readonly cores: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Open loop at each rate. */
export async function measureGeneratorCeiling(
  ratesPerSecond: readonly number[],
  durationMs: number,
): Promise<GeneratorCeiling[]> {
  const server = fork(SERVER, [], { stdio: "inherit" });
  try {
    const [port] = (await once(server, "message")) as [number];
    const results: GeneratorCeiling[] = [];
    for (const ratePerSecond of ratesPerSecond) {
      const report = await runLoad({
        target: { kind: "http", url: `http://127.0.0.1:${port}`, model: "digits" },
        images: { shape: SAMPLE, values: new Float32Array(16 * 784) },
        streams: [{ name: "ceiling", ratePerSecond, timeoutMs: 5_000 }],
        seed: 1,
        durationMs,
        warmUpMs: durationMs / 5,
      });
      results.push(ceilingOf(ratePerSecond, report));
    }
    return results;
  } finally {
    server.kill();
  }
}

function ceilingOf(offeredPerSecond: number, { total, seconds, generator }: LoadReport): GeneratorCeiling {
  return {
    offeredPerSecond,
    answeredPerSecond: total.ok / seconds,
    cores: generator.cpuSeconds / seconds,
    p50Ms: total.latencyMs.p50,
    p99Ms: total.latencyMs.p99,
  };
}
