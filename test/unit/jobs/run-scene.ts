/** Specs, data and records of runs for tests of jobs: small, and without mathematics. */
import type { EvaluationRecord, RunRecord } from "../../../src/actors/coordinator/index.ts";
import type { SliceDescription } from "../../../src/compute/index.ts";
import { createDataset, type Dataset } from "../../../src/data/index.ts";
import type { PhaseEnd, PhaseRunEnd } from "../../../src/jobs/run-parts.ts";
import type { Progress } from "../../../src/messages/index.ts";
import {
  type DistillationSpec,
  type ModelSpec,
  parseSpec,
  type RunPhase,
  TRAINING,
  type TrainingSpec,
} from "../../../src/run-spec/index.ts";

export function modelOf(width: number): ModelSpec {
  return {
    input: [4],
    classes: 2,
    layers: [
      { name: "d1", type: "dense", units: width },
      { name: "r1", type: "re_lu" },
      { name: "d2", type: "dense", units: width },
      { name: "r2", type: "re_lu" },
      { name: "out", type: "dense", units: 2 },
    ],
    cuts: ["r1", "r2"],
  };
}

type Changes = Readonly<Record<string, unknown>>;

/** Three blocks, batches of 8, two epochs. */
export function trainingSpec(changes: Changes = {}): TrainingSpec {
  const spec = {
    kind: "training",
    name: "tiny",
    seed: 3,
    data: { dataset: "mnist" },
    model: modelOf(6),
    training: { epochs: 2, batchSize: 8 },
    evaluation: { batchSize: 16 },
    ...changes,
  };
  return parseSpec(JSON.stringify(spec), { file: "tiny.json" }) as TrainingSpec;
}

/** Three sections, batches of 8, two epochs of sections and one of the whole student. */
export function distillationSpec(changes: Changes = {}): DistillationSpec {
  const spec = {
    kind: "distillation",
    name: "small",
    seed: 3,
    data: { dataset: "mnist" },
    teacher: { model: modelOf(12) },
    student: { model: modelOf(6) },
    batchSize: 8,
    sections: { epochs: 2 },
    finetune: { epochs: 1, recalibrate: 2 },
    evaluation: { batchSize: 16 },
    ...changes,
  };
  return parseSpec(JSON.stringify(spec), { file: "small.json" }) as DistillationSpec;
}

/** 64 training samples and 32 to test on, of four values each. */
export function smallDataset(options: Parameters<typeof createDataset>[1] = {}): Dataset {
  const records = (count: number) => ({
    samples: Uint8Array.from({ length: count * 4 }, (_, index) => (index * 37) % 256),
    labels: Uint8Array.from({ length: count }, (_, index) => index % 2),
  });
  const content = { name: "mnist", sampleShape: [4], classes: 2, digests: ["small"] };
  return createDataset({ ...content, training: records(64), testing: records(32) }, options);
}

export function slice(index: number, width = 6): SliceDescription {
  return {
    inputShape: index === 0 ? [4] : [width],
    outputShape: index === 2 ? [2] : [width],
    layers: [`layer-${index}`],
    parameters: 10 * width * (index + 1),
    macs: 5 * width * (index + 1),
  };
}

export function progress(changes: Partial<Progress> = {}): Progress {
  return {
    kind: "Progress",
    consumed: 20,
    applied: 16,
    stalenessSteps: 0,
    computeMs: 1,
    receivedBytes: 100,
    drops: {},
    skipped: {},
    pending: 0,
    sentBytes: {},
    step: 16,
    ...changes,
  } as Progress;
}

export function evaluation(step: number, changes: Partial<EvaluationRecord> = {}): EvaluationRecord {
  return { evaluation: step, step, samples: 32, accuracy: step / 100, loss: 0.5, atMs: 1_000 * step, ...changes };
}

export function record(changes: Partial<RunRecord> = {}): RunRecord {
  const evaluations = [evaluation(8), evaluation(16)];
  const base = { evaluations, switches: [], teachers: [], progress: {}, epochs: 2, step: 16, generation: 16 };
  return { ...base, ...changes };
}

export interface EndChanges extends Partial<Omit<PhaseRunEnd, "record">> {
  readonly phase?: RunPhase;
  readonly stepsBefore?: number;
  readonly record?: Partial<RunRecord>;
}

/** A phase that has completed in 8 s. */
export function phaseEnd({ phase = TRAINING, stepsBefore = 0, record: of, ...end }: EndChanges = {}): PhaseEnd {
  return {
    phase,
    stepsBefore,
    startedMs: 0,
    end: { outcome: "completed", seconds: 8, backends: [], ...end, record: record(of) },
  };
}
