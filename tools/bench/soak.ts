/** Memory over many steps: a run in this process with small batches, looked at every few hundred steps. */
import process from "node:process";
import { createControlChannel } from "../../src/runtime/actor/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { blockActor, boundariesOf } from "../../src/run-spec/index.ts";
import { EMBEDDED_RUN, runEmbedded } from "./embedded-run.ts";

export interface SoakSample {
  readonly step: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  /** In all compute workers. */
  readonly tensors: number;
}

export interface Soak {
  readonly steps: number;
  readonly seconds: number;
  readonly samples: readonly SoakSample[];
  /** Median of the last fifth over the median of the second: 1 is flat. */
  readonly rssRatio: number;
  readonly heapRatio: number;
  readonly tensorsRatio: number;
}

export interface SoakOptions {
  readonly spec: string;
  readonly steps: number;
  readonly write: (line: string) => void;
}

/** Small: a leak grows per step, not per sample. */
const BATCH_SIZE = 8;
const LOOK_EVERY_STEPS = 500;

export async function soak({ spec: text, steps, write }: SoakOptions): Promise<Soak> {
  const limit = 32_000;
  const epochs = Math.ceil(steps / (limit / BATCH_SIZE));
  const set = [`training.batchSize=${BATCH_SIZE}`, `data.limit=${limit}`, `training.epochs=${epochs}`];
  const samples: SoakSample[] = [];
  const started = performance.now();
  const { end } = await runEmbedded(text, set, ({ bus, run, spec }) => {
    const last = blockActor(boundariesOf(spec).length);
    let looked = 0;
    createControlChannel({ run: EMBEDDED_RUN, actor: "soak" }, { bus, log: silentLogger }).watch(last, ({ header }) => {
      if (header.step < looked + LOOK_EVERY_STEPS) return;
      looked = header.step;
      void run.countTensors().then((tensors) => {
        const { rss, heapUsed } = process.memoryUsage();
        const sample = { step: header.step, rssMiB: rss / 2 ** 20, heapMiB: heapUsed / 2 ** 20, tensors };
        samples.push(sample);
        write(
          `step ${sample.step}: RSS ${sample.rssMiB.toFixed(0)} MiB, heap ${sample.heapMiB.toFixed(0)} MiB, ${tensors} tensors`,
        );
      });
    });
  });
  return {
    steps: end.record.step,
    seconds: (performance.now() - started) / 1000,
    samples,
    rssRatio: growthOf(samples.map(({ rssMiB }) => rssMiB)),
    heapRatio: growthOf(samples.map(({ heapMiB }) => heapMiB)),
    tensorsRatio: growthOf(samples.map(({ tensors }) => tensors)),
  };
}

/** The first fifth warms up; the last is compared with the second. */
function growthOf(values: readonly number[]): number {
  const fifth = Math.max(1, Math.floor(values.length / 5));
  const median = (part: readonly number[]): number => [...part].sort((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0;
  return median(values.slice(-fifth)) / median(values.slice(fifth, 2 * fifth));
}
