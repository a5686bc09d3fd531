/** Cost in accuracy and saving in bytes of each codec: one epoch in this process per pair of codecs. */
import { trainingKind } from "../../src/jobs/kinds/training/index.ts";
import { TRAINING } from "../../src/run-spec/index.ts";
import { EMBEDDED_RUN, runEmbedded } from "./embedded-run.ts";

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
  const { end, spec, slices, dataset } = await runEmbedded(text, set);
  const context = { run: EMBEDDED_RUN, spec, slices, teacherSlices: [], dataset, bus: "memory" };
  const ended = { phase: TRAINING, end, stepsBefore: 0, startedMs: 0 };
  const { boundaries, accuracy } = trainingKind.results([ended], undefined, context);
  const bytes = boundaries.map((each) => each.activationBytesPerStep + each.gradientBytesPerStep);
  return { bytesPerStep: bytes.reduce((sum, each) => sum + each, 0), accuracy: accuracy ?? 0 };
}
