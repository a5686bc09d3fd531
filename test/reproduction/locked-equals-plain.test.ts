/**
 * Cutting changes nothing: four `locked` blocks over the bus end with the weights of the uncut net, trained in one
 * process by stock tfjs with the same initial weights, batches and optimiser. And a run that was stopped and resumed
 * ends with the weights of one that was not.
 */
import * as tf from "@tensorflow/tfjs";
import { expect, it } from "vitest";
import { openDataset } from "../../src/apps/open-dataset.ts";
import { selectBackend } from "../../src/compute/backend/index.ts";
import { createBlockModel } from "../../src/compute/nn/block-model.ts";
import { createOptimizer } from "../../src/compute/nn/optimizer/index.ts";
import { epochOrder } from "../../src/data/index.ts";
import { createControlChannel } from "../../src/runtime/actor/index.ts";
import { memoryBus } from "../../src/runtime/bus/index.ts";
import { type Manifest, openCheckpoints, scopeOfRun } from "../../src/runtime/artifacts/index.ts";
import type { Store } from "../../src/runtime/store/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import type { TrainingSpec } from "../../src/run-spec/index.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { testTraining } from "../support/training.ts";

const STEPS = 20;
const BATCH = 128;
/**
 * One of which no element comes within rounding of a kink in these steps. Where one does, ReLU or max-pooling lets it pass
 * on one side only, and a single one is enough: seeds 1 and 2 end 3e-4 and 9e-2 apart, 3 and 4 within 3e-6.
 */
const SEED = 4;
const SET = [
  `seed=${SEED}`,
  `data.limit=${STEPS * BATCH}`,
  "training.schedule=constant",
  "codecs.activation=f32",
  "codecs.gradient=f32",
  "evaluation.everySteps=1000",
  "evaluation.samples=500",
];
/**
 * Cutting leaves rounding differences (1e-7) in the gradients; the comparison needs an optimiser that does not blow them
 * up. Adam's usual epsilon, 1e-8, does: an element whose gradient is nothing but rounding takes a whole step of 1e-3. A
 * change of 2e-7 in one kernel of the uncut net alone grew to 1e-2 in 20 steps at 1e-8, and to 1e-5 at 1e-3.
 *
 * Momentum SGD is stock tfjs's. For Adam the plain side takes tfjs's gradients and our optimiser (which has a test of its
 * own against `tf.train.adam`): tfjs keeps beta^t in float32, so its steps are 2e-5 too long, and within 20 steps Adam and
 * the kinks of ReLU and max-pooling make 2e-2 of that, in the uncut net alone.
 */
const OPTIMIZERS = [
  {
    name: "sgd with Nesterov momentum",
    spec: "training.optimizer={ kind: sgd, learningRate: 0.05, momentum: 0.9, nesterov: true }",
    createPlain(): Update {
      const optimizer = tf.train.momentum(0.05, 0.9, true);
      return (gradients) => {
        optimizer.applyGradients(gradients as never); // typed as variables, used as gradients
      };
    },
  },
  {
    name: "adam",
    spec: "training.optimizer={ kind: adam, learningRate: 0.001, epsilon: 0.001 }",
    createPlain(): Update {
      const optimizer = createOptimizer({ kind: "adam", learningRate: 0.001, epsilon: 0.001 });
      return (gradients, variables) => {
        optimizer.apply(
          variables,
          variables.map(({ name }) => gradients[name] as tf.Tensor),
          0.001,
        );
      };
    },
  },
] as const;

type Update = (gradients: tf.NamedTensorMap, variables: readonly tf.Variable[]) => void;
const BLOCKS = ["block-0", "block-1", "block-2", "block-3"];

type Weights = Readonly<Record<string, Float32Array>>;

/** Weights by the name of layer and variable, from the newest checkpoint. */
async function savedWeights(
  store: Store,
  name: string,
): Promise<{ readonly weights: Weights; readonly manifest: Manifest }> {
  const checkpoints = await openCheckpoints(store, scopeOfRun(name));
  const [manifest] = await checkpoints.manifests();
  if (manifest === undefined) throw new Error("the run left no checkpoint");
  const weights: Record<string, Float32Array> = {};
  for (const block of BLOCKS) {
    const { tensors } = await checkpoints.load(block, manifest);
    for (const [name, { values }] of Object.entries(tensors)) {
      if (name.startsWith("weights/")) weights[name.slice("weights/".length)] = values as Float32Array;
    }
  }
  return { weights, manifest };
}

/** Largest difference of any element, relative to the largest element of its tensor. */
function distance(a: Weights, b: Weights): number {
  expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
  let worst = 0;
  for (const [name, left] of Object.entries(a)) {
    const right = b[name] ?? new Float32Array();
    let scale = 0;
    let difference = 0;
    left.forEach((value, index) => {
      scale = Math.max(scale, Math.abs(value));
      difference = Math.max(difference, Math.abs(value - (right[index] ?? Number.NaN)));
    });
    worst = Math.max(worst, difference / scale);
  }
  return worst;
}

/** The uncut net in one process: mean cross-entropy and tfjs's own gradients. */
async function plainWeights(spec: TrainingSpec, update: Update): Promise<Weights> {
  await selectBackend("auto");
  const dataset = await openDataset({ data: spec.data, env: process.env });
  const model = createBlockModel({ inputShape: spec.model.input, layers: spec.model.layers, seed: SEED });
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const order = epochOrder(dataset.train.count, SEED, 0);
  for (let step = 0; step < STEPS; step += 1) {
    tf.tidy(() => {
      const { samples, labels } = dataset.train.batch(order.subarray(step * BATCH, (step + 1) * BATCH));
      const x = tf.tensor(Float32Array.from(samples.values), [...samples.shape]);
      const y = tf.oneHot(tf.tensor1d(labels.values as Int32Array, "int32"), spec.model.classes);
      const loss = (): tf.Scalar => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }) as tf.Tensor);
      update(tf.variableGrads(loss, [...variables]).grads, variables);
    });
  }
  return Object.fromEntries(
    model.weights.map((weight) => [weight.originalName, weight.read().dataSync().slice() as Float32Array]),
  );
}

for (const { name, spec, createPlain } of OPTIMIZERS) {
  it(`locked over the bus equals plain training of the uncut net after 20 steps, within 1e-4 relative: ${name}`, async () => {
    await using folder = await temporaryFolder();
    await using bus = memoryBus();
    const set = [...SET, spec];
    await using training = await testTraining({
      name: "locked",
      example: "mnist-locked",
      bus,
      folder: folder.path,
      set,
    });
    await training.run.start();
    const { outcome } = await training.run.ended;
    expect(outcome).toBe("completed");
    const { weights } = await savedWeights(training.store, "locked");
    const worst = distance(weights, await plainWeights(training.spec, createPlain()));
    console.log(`${name}: largest relative difference after ${STEPS} steps: ${worst.toExponential(2)}`);
    expect(worst).toBeLessThanOrEqual(1e-4);
  });
}

it("a locked run that was stopped and resumed ends with the weights of one that was not", async () => {
  const whole = await (async () => {
    await using folder = await temporaryFolder();
    await using bus = memoryBus();
    await using training = await testTraining({
      name: "whole",
      example: "mnist-locked",
      bus,
      folder: folder.path,
      set: SET,
    });
    await training.run.start();
    await training.run.ended;
    return (await savedWeights(training.store, "whole")).weights;
  })();

  await using folder = await temporaryFolder();
  await using bus = memoryBus();
  const from = await (async () => {
    await using training = await testTraining({
      name: "parts",
      example: "mnist-locked",
      bus,
      folder: folder.path,
      set: SET,
    });
    const watcher = createControlChannel({ run: "parts", actor: "watcher" }, { bus, log: silentLogger });
    let isAsked = false;
    watcher.watch("block-0", ({ fact }) => {
      if (fact.kind !== "Progress" || fact.consumed < 7 || isAsked) return;
      isAsked = true;
      training.run.requestStop();
    });
    await training.run.start();
    const { outcome, record } = await training.run.ended;
    expect(outcome).toBe("stopped");
    expect(record.step).toBeGreaterThanOrEqual(7);
    expect(record.step).toBeLessThan(STEPS);
    return (await savedWeights(training.store, "parts")).manifest;
  })();
  await using training = await testTraining({
    name: "parts",
    example: "mnist-locked",
    bus,
    folder: folder.path,
    set: SET,
    from,
  });
  await training.run.start();
  const { outcome, record } = await training.run.ended;
  expect(outcome).toBe("completed");
  expect(record.step).toBe(STEPS);
  // Native kernels split sums over threads as the machine is free: two runs of the same steps differ by as much.
  const worst = distance((await savedWeights(training.store, "parts")).weights, whole);
  console.log(`largest relative difference to the undisturbed run: ${worst.toExponential(2)}`);
  expect(worst).toBeLessThanOrEqual(1e-4);
});
