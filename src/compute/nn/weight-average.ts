/**
 * An exponential moving average of a model's weights (Polyak and Juditsky 1992; decay as in Tarvainen and Valpola
 * 2017): w' <- d w' + (1 - d) w after each update, batch norm's moving statistics with the others. Over the first
 * updates d is (1 + n) / (10 + n), so that the start is soon forgotten.
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { NamedTensorData } from "../tensor-data.ts";
import { toData, toTensor } from "./tensors.ts";

/** Before the names of its tensors in a snapshot. */
const PREFIX = "average/";

export interface WeightAverage {
  /** Adds the current weights after update `n`, counted from 1. */
  update(n: number): void;
  /** Runs `work` with the averaged weights in place of the model's own. */
  during<T>(work: () => T): T;
  /** Names begin with `average/`. */
  snapshot(): NamedTensorData;
  /**
   * A snapshot without an average resets it. @throws KnowledgeNetError KN_CHECKPOINT when a tensor is missing or of
   * another shape.
   */
  restore(tensors: NamedTensorData): void;
  dispose(): void;
}

export function createWeightAverage(model: tf.LayersModel, decay: number): WeightAverage {
  let averages: tf.Tensor[] | undefined;

  const replace = (next: tf.Tensor[] | undefined): void => {
    tf.dispose(averages ?? []);
    averages = next?.map((tensor) => tf.keep(tensor));
  };
  const current = (): tf.Tensor[] => model.weights.map((weight) => weight.read());

  return {
    update(n) {
      const share = 1 - Math.min(decay, (1 + n) / (10 + n));
      const before = averages;
      replace(
        before === undefined
          ? current().map((weight) => weight.clone())
          : tf.tidy(() => current().map((weight, index) => move(before[index] as tf.Tensor, weight, share))),
      );
    },
    during(work) {
      if (averages === undefined) return work();
      const own = current().map((weight) => weight.clone());
      try {
        write(model, averages);
        return work();
      } finally {
        write(model, own);
        tf.dispose(own);
      }
    },
    snapshot() {
      const named: Record<string, NamedTensorData[string]> = {};
      averages?.forEach((tensor, index) => {
        const name = `${PREFIX}${model.weights[index]?.originalName}`;
        named[name] = toData(tensor, name);
      });
      return named;
    },
    restore(tensors) {
      if (!Object.keys(tensors).some((name) => name.startsWith(PREFIX))) {
        replace(undefined);
        return;
      }
      replace(
        model.weights.map((weight) => {
          const name = `${PREFIX}${weight.originalName}`;
          const saved = tensors[name];
          if (saved !== undefined && tf.util.arraysEqual([...saved.shape], weight.shape as number[]))
            return toTensor(saved);
          throw new KnowledgeNetError("KN_CHECKPOINT", {
            attempt: `restore ${name}`,
            rule: `the checkpoint must hold it with shape [${weight.shape.join(", ")}]`,
            value: saved === undefined ? "absent" : `[${saved.shape.join(", ")}]`,
          });
        }),
      );
    },
    dispose() {
      replace(undefined);
    },
  };
}

function move(average: tf.Tensor, weight: tf.Tensor, share: number): tf.Tensor {
  return average.add(weight.sub(average).mul(share));
}

function write(model: tf.LayersModel, values: readonly tf.Tensor[]): void {
  model.weights.forEach((weight, index) => {
    weight.write((values[index] as tf.Tensor).clone());
  });
}
