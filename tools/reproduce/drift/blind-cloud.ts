/**
 * Baselines that train without a gate: batch norm's statistics alone, a retraining in every window, and one that begins
 * anew from the weights of window 0 every few windows.
 */
import { createReplayMemory, type ReplaySample } from "../../../src/continuous/index.ts";
import { classesOf, type StudentLab } from "../../../src/actors/learner/index.ts";
import { stack, type TensorView } from "../../../src/messages/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import { buildUpdate, movementBetween, selectIndices, type UpdateContent } from "../../../src/models/updates/index.ts";
import type { Cloud, CloudUpdate } from "./cloud.ts";
import { FIRST_NUMBER, MODEL } from "./edge.ts";
import type { LearnerSettings } from "./settings.ts";

export interface BlindCloudOptions {
  readonly kind: "batch-norm" | "blind" | "reset";
  readonly learner: LearnerSettings;
  readonly resetEvery: number;
  readonly seed: number;
  readonly classes: number;
  readonly sampleShape: readonly number[];
  readonly weights: NamedTensors;
}

const BATCH_NORM = /\/moving_(mean|variance)$/;

/** @param ask the oracle's logits, [n, classes]. */
export function createBlindCloud(
  { kind, learner, resetEvery, seed, classes, sampleShape, weights }: BlindCloudOptions,
  lab: StudentLab,
  ask: (inputs: TensorView) => Promise<Float32Array>,
): Cloud {
  const memory = createReplayMemory({ seed, classes, sampleShape, capacity: learner.replayCapacity });
  const counts = { labels: 0, promotions: 0, refusals: 0, rollbacks: 0 };
  let live = { number: FIRST_NUMBER, tensors: weights };

  const send = (trained: NamedTensors, content: UpdateContent): CloudUpdate[] => {
    const { number, tensors } = live;
    const built = buildUpdate({ model: MODEL, number: number + 1, base: { number, tensors }, trained, content });
    live = { number: number + 1, tensors: built.tensors };
    counts.promotions += 1;
    return [{ kind: content.kind, bytes: built.bytes }];
  };
  const batchOf = (samples: readonly ReplaySample[]) => {
    const logits = Float32Array.from(samples.flatMap(({ softLabel }) => Array.from(softLabel)));
    return {
      inputs: stack(samples, { sampleShape, dtype: "u8" }),
      logits,
      labels: Int32Array.from(classesOf(logits, classes)),
    };
  };
  const retrain = async (from: NamedTensors, isReset: boolean): Promise<CloudUpdate[]> => {
    const { steps, probeShare, batchSize, fraction } = learner;
    const probeSteps = Math.max(1, Math.round(steps * probeShare));
    const firstStep = live.number * (steps + probeSteps);
    const plan = (count: number, offset: number) => ({
      steps: count,
      batch: (step: number) => batchOf(memory.draw(batchSize, firstStep + offset + step)),
    });
    const probed = await lab.train(from, plan(probeSteps, 0));
    const trainable = Object.keys(from).filter((name) => !BATCH_NORM.test(name));
    const movements = Object.fromEntries(
      trainable.map((name) => [name, movementBetween(floatsOf(from, name), floatsOf(probed.weights, name))]),
    );
    const focus = selectIndices(movements, fraction);
    const trained = await lab.train(from, { ...plan(steps, probeSteps), focus });
    const coding = { codec: "int8" } as const;
    return send(trained.weights, isReset ? { kind: "full", coding } : { kind: "masked", indices: focus, coding });
  };

  return {
    get counts() {
      return { ...counts };
    },
    events: [],
    async observe(window, observations) {
      if (observations.length === 0) return [];
      const inputs = stack(
        observations.map(({ payload }) => ({ values: payload })),
        { sampleShape, dtype: "u8" },
      );
      const logits = await ask(inputs);
      counts.labels += observations.length;
      for (const [row, { payload }] of observations.entries()) {
        const softLabel = logits.slice(row * classes, (row + 1) * classes);
        memory.offer({ values: payload, softLabel, oracleVersion: "1", window });
      }
      return [];
    },
    async endWindow(window) {
      if (kind === "batch-norm") {
        const recent = memory.recent.filter((sample) => sample.window === window);
        const trained = await lab.recalibrate(live.tensors, [stack(recent, { sampleShape, dtype: "u8" })]);
        return send(trained, { kind: "batch-norm" });
      }
      const isReset = kind === "reset" && window > 0 && window % resetEvery === 0;
      return retrain(isReset ? weights : live.tensors, isReset);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function floatsOf(tensors: NamedTensors, name: string): Float32Array {
  return Float32Array.from(tensors[name]?.values ?? []);
}
