/** What each codec costs in accuracy and saves in bytes: one epoch in this process per pair of codecs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryBus } from "../../runtime/bus/index.ts";
import { systemClock } from "../../runtime/clock/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import { silentLogger } from "../../runtime/telemetry/index.ts";
import { parseSpec } from "../../spec/index.ts";
import { describeSlices } from "../run/describe-slices.ts";
import { openDataset } from "../run/open-dataset.ts";
import { resultsOf } from "../run/results.ts";
import { createTrainingRun } from "../run/training-run.ts";

export interface CodecAccuracy {
  readonly source: string;
  readonly activation: string;
  readonly gradient: string;
  /** Measured, all boundaries, both ways. */
  readonly bytesPerStep: number;
  /** Over f32 backpropagation's. */
  readonly ratio: number;
  readonly accuracy: number;
}

const PAIRS = [
  ["locked", "f32", "f32"],
  ["synthetic", "f32", "f32"],
  ["synthetic", "bf16", "bf16"],
  ["synthetic", "int8-channel", "bf16"],
  ["synthetic", "int8-channel", "int8-channel"],
  ["auxiliary", "int8-channel", "bf16"],
] as const;

export async function measureCodecAccuracy(text: string, write: (line: string) => void): Promise<CodecAccuracy[]> {
  const measured: CodecAccuracy[] = [];
  for (const [source, activation, gradient] of PAIRS) {
    const set = [`gradients.source=${source}`, `codecs.activation=${activation}`, `codecs.gradient=${gradient}`];
    const { bytesPerStep, accuracy } = await train(text, set);
    const whole = measured[0]?.bytesPerStep ?? bytesPerStep;
    measured.push({ source, activation, gradient, bytesPerStep, ratio: bytesPerStep / whole, accuracy });
    write(
      `${source}, ${activation} forward, ${gradient} back: ${bytesPerStep} bytes/step, ${(100 * accuracy).toFixed(2)} %`,
    );
  }
  return measured;
}

async function train(text: string, set: readonly string[]): Promise<{ bytesPerStep: number; accuracy: number }> {
  const spec = parseSpec(text, { file: "spec", set });
  const clock = systemClock();
  const folder = await mkdtemp(join(tmpdir(), "knowledgenet-bench-"));
  try {
    const dataset = await openDataset({ data: spec.data, env: process.env });
    const slices = await describeSlices(spec);
    const bus = memoryBus();
    await using store = await fileStore({ directory: folder, clock });
    const run = createTrainingRun(
      { name: "codecs", spec, slices, backend: "auto", softwareVersion: "0.0.0" },
      { bus, store, clock, log: silentLogger, dataset },
    );
    await run.start();
    const end = await run.ended;
    await bus.close();
    if (end.error !== undefined) throw end.error;
    const context = { run: "codecs", spec, slices, dataset, bus: "memory", stepsBefore: 0, startedMs: 0 };
    const { boundaries, accuracy } = resultsOf(end, context);
    const bytes = boundaries.map((each) => each.activationBytesPerStep + each.gradientBytesPerStep);
    return { bytesPerStep: bytes.reduce((sum, each) => sum + each, 0), accuracy: accuracy ?? 0 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
