/** The real units, behind one compute worker. */
import { afterAll, beforeAll } from "vitest";
import {
  type ComputeWorker,
  createComputeWorker,
  openBlock,
  openGradientModel,
  openSection,
  openTeacher,
  type TensorData,
} from "../../../../src/compute/index.ts";
import { BAD_STEP, blockHandleContract, gradientModelHandleContract } from "../../../support/block-handle-contract.ts";
import {
  BAD_SECTION_STEP,
  sectionHandleContract,
  teacherHandleContract,
} from "../../../support/section-handle-contract.ts";
import { BLOCK_DEFAULTS, HEAD_LAYERS, labelData } from "../reference.ts";

const BATCH = 4;
const CONSTANT = { peak: 1e-3, schedule: "constant", totalSteps: 100 } as const;
const labels = labelData(BATCH, 5);

function data(shape: readonly number[], phase: number): TensorData {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { dtype: "f32", shape, values: Float32Array.from({ length: size }, (_, index) => Math.sin(index + phase)) };
}

let worker: ComputeWorker;
let opened = 0;
beforeAll(async () => {
  worker = await createComputeWorker({ backend: "cpu" });
});
afterAll(() => worker.close());

blockHandleContract("a block in a compute worker", async ({ source, isFirst = false, retain = 4 }) => {
  opened += 1;
  const handle = await openBlock(worker, `block-${opened}`, {
    ...BLOCK_DEFAULTS,
    inputShape: [7],
    layers: HEAD_LAYERS,
    seed: 3,
    optimizer: { kind: "adam", learningRate: 1e-3 },
    learningRate: CONSTANT,
    source: ({ later: "locked", "at-once": "auxiliary", last: "task-loss" } as const)[source],
    wantsInputGradient: !isFirst,
    retain: { batches: retain, bytes: 2 ** 30 },
  });
  return {
    handle,
    labels,
    input(step) {
      const input = data([BATCH, 7], step);
      if (step === BAD_STEP) input.values[0] = Number.NaN;
      return input;
    },
    gradient: () => data([BATCH, 5], 1),
    [Symbol.asyncDispose]: () => handle.dispose(),
  };
});

gradientModelHandleContract("a gradient model in a compute worker", async () => {
  opened += 1;
  const spec = { kind: "mlp", hidden: 8, learnEvery: 1, optimizer: { kind: "adam", learningRate: 1e-3 } } as const;
  const options = { boundaryShape: [7], classes: 5, spec, seed: 1, retain: 4 };
  const handle = await openGradientModel(worker, `gradient-${opened}`, options, CONSTANT);
  return {
    handle,
    labels,
    tensor: () => data([BATCH, 7], 2),
    unknownStep: 99,
    [Symbol.asyncDispose]: () => handle.dispose(),
  };
});

/** Of its own buffer; not finite at the step that has to fail. */
function section(step: number): TensorData {
  const input = data([BATCH, 7], step);
  if (step === BAD_SECTION_STEP) input.values[0] = Number.NaN;
  return input;
}

const openSectionOf = (isLast: boolean) => {
  opened += 1;
  return openSection(worker, `section-${opened}`, {
    inputShape: [7],
    layers: HEAD_LAYERS,
    seed: 3,
    optimizer: { kind: "adam", learningRate: 1e-3 },
    learningRate: CONSTANT,
    classes: 5,
    objective: isLast
      ? { kind: "logits", crossEntropy: 0.5, teacher: { kind: "plain", temperature: 2, weight: 3, nonTarget: 8 } }
      : { kind: "features", hint: { kind: "feature-mse", normalisation: "relative" }, localCrossEntropy: 0.1 },
    averageDecay: 0.9,
  });
};

sectionHandleContract("a student's section in a compute worker", async ({ isLast }) => {
  const handle = await openSectionOf(isLast);
  const hint = () => data([BATCH, 5], 1);
  return { handle, labels, input: section, hint, [Symbol.asyncDispose]: () => handle.dispose() };
});

teacherHandleContract("a teacher's section in a compute worker", async () => {
  const student = await openSectionOf(true);
  const { tensors: weights } = await student.snapshot();
  await student.dispose();
  const handle = await openTeacher(worker, `teacher-${opened}`, { inputShape: [7], layers: HEAD_LAYERS, weights });
  return {
    handle,
    input(samples) {
      const values = samples.flatMap((sample) => Array.from(data([1, 7], sample).values));
      return { dtype: "f32", shape: [samples.length, 7], values: Float32Array.from(values) };
    },
    image: { dtype: "u8", shape: [7, 1, 1], values: Uint8Array.from({ length: 7 }, (_, index) => index) },
    [Symbol.asyncDispose]: () => handle.dispose(),
  };
});
