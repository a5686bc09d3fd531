/**
 * The mathematics of one slice of a served network: inference alone, with the moving statistics of batch norm. The
 * network is built once; a release is a set of weights for it, and several are held at a time.
 *
 * Bits of a row's result: functions of the release, the row, the number of rows, the backend and its threads, and of
 * nothing else (`batch-rows.ts`).
 */
import * as tf from "@tensorflow/tfjs";
import { KnowledgeNetError } from "../../errors/index.ts";
import { createBlockModel, toTensor } from "../nn/index.ts";
import type { LayerSpec } from "../../run-spec/index.ts";
import type { NamedTensorData, TensorData } from "../tensor-data.ts";
import { rowsToCompute, withRows } from "./batch-rows.ts";
import { forwardSteps } from "./forward-steps.ts";
import { firstNonFinite, zeroNonFiniteRows } from "./non-finite.ts";

/** One slice: consecutive layers of the network. */
export interface InferenceUnitOptions {
  /** Of one sample. */
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
}

export interface InferOutcome {
  /** f32 [n, ...output], the caller's; rows that are not finite are zero. */
  readonly output: TensorData;
  /** Their indices, ascending. */
  readonly nonFiniteRows: readonly number[];
}

export interface InferenceUnit {
  readonly parameters: number;
  /** Of one sample. */
  readonly outputShape: readonly number[];
  /**
   * Adds tensors to a release that is being loaded, beside those in use; may be called in pieces. Names as in a
   * checkpoint, `weights/<layer>/<weight>`; those of other slices are ignored.
   * @throws KnowledgeNetError KN_INVARIANT when the release is complete: releases do not change.
   */
  load(release: number, tensors: NamedTensorData): void;
  /**
   * Ends the loading of a release, which can be used from then on.
   * @throws KnowledgeNetError KN_CHECKPOINT when a weight is missing or has another shape; KN_NUMERIC when a value is
   * not finite. The release is dropped then.
   */
  complete(release: number): void;
  /**
   * @param input f32 or u8 [n, ...input], n >= 1.
   * @throws KnowledgeNetError KN_STALE when the release is not complete here; KN_SHAPE when the input does not fit.
   */
  infer(release: number, input: TensorData): InferOutcome;
  /** Frees a release, complete or not; an absent one is no error. */
  drop(release: number): void;
  /** The complete ones, in the order of completion. */
  releases(): readonly number[];
  dispose(): void;
}

/** A release that is being loaded. */
interface Loading {
  readonly tensors: Map<string, tf.Tensor>;
  /** The first value of a tensor that is not finite. */
  readonly faults: Map<string, number>;
}

/** @throws KnowledgeNetError KN_SHAPE when a layer does not fit the one before. */
export function createInferenceUnit({ inputShape, layers }: InferenceUnitOptions): InferenceUnit {
  const model = createBlockModel({ inputShape, layers, seed: 0 });
  const steps = forwardSteps(model);
  const names = model.weights.map(({ originalName }) => `weights/${originalName}`);
  const shapes = new Map(
    model.weights.map(({ originalName, shape }) => [`weights/${originalName}`, shape as number[]]),
  );
  const loading = new Map<number, Loading>();
  const complete = new Map<number, readonly tf.Tensor[]>();
  /** The release whose weights are the model's. */
  let chosen: number | undefined;

  const drop = (release: number): void => {
    tf.dispose([...(loading.get(release)?.tensors.values() ?? []), ...(complete.get(release) ?? [])]);
    loading.delete(release);
    complete.delete(release);
    if (chosen === release) chosen = undefined; // the model holds its weights until another one is chosen
  };
  /** A variable takes over the data of a tensor by reference: nothing is copied. */
  const choose = (release: number): void => {
    if (chosen === release) return;
    const weights = complete.get(release);
    if (weights === undefined) throw stale(release, [...complete.keys()]);
    model.weights.forEach((weight, index) => {
      weight.write(weights[index] as tf.Tensor);
    });
    chosen = release;
  };

  return {
    parameters: model.countParams(),
    outputShape: (model.outputShape as number[]).slice(1),
    load(release, tensors) {
      if (complete.has(release)) {
        throw new KnowledgeNetError("KN_INVARIANT", {
          attempt: `load release ${release}`,
          rule: "a complete release must not change",
          remedy: "drop it first",
        });
      }
      const loaded = loading.get(release) ?? {
        tensors: new Map<string, tf.Tensor>(),
        faults: new Map<string, number>(),
      };
      loading.set(release, loaded);
      for (const [name, data] of Object.entries(tensors)) {
        if (!shapes.has(name)) continue;
        loaded.tensors.get(name)?.dispose();
        loaded.tensors.set(name, toTensor(data));
        // Here, not at the end: each piece pays for its own values.
        const fault = firstNonFinite(data.values);
        if (fault === undefined) loaded.faults.delete(name);
        else loaded.faults.set(name, fault);
      }
    },
    complete(release) {
      if (complete.has(release)) return;
      const loaded = loading.get(release);
      try {
        const weights = names.map((name) => checked(release, name, loaded, shapes.get(name) ?? []));
        loading.delete(release);
        complete.set(release, weights);
      } catch (error) {
        drop(release);
        throw error;
      }
    },
    infer(release, input) {
      choose(release);
      assertFits(input, inputShape);
      const rows = input.shape[0] ?? 0;
      const samples = toTensor(withRows(input, rowsToCompute(rows)));
      const result = tf.tidy(() => steps.reduce((x, step) => step(x), samples));
      try {
        const shape = [rows, ...result.shape.slice(1)];
        // A copy: a backend may return memory of its own, and the output moves to another thread.
        const values = result.dataSync<"float32">().slice(0, tf.util.sizeFromShape(shape));
        const nonFiniteRows = zeroNonFiniteRows(values, rows);
        return { output: { dtype: "f32", shape, values }, nonFiniteRows };
      } finally {
        tf.dispose([samples, result]);
      }
    },
    drop,
    releases: () => [...complete.keys()],
    dispose() {
      for (const release of [...loading.keys(), ...complete.keys()]) drop(release);
      model.dispose();
    },
  };
}

function checked(release: number, name: string, loaded: Loading | undefined, shape: readonly number[]): tf.Tensor {
  const tensor = loaded?.tensors.get(name);
  if (tensor?.dtype !== "float32" || !tf.util.arraysEqual(tensor.shape, [...shape])) {
    throw new KnowledgeNetError("KN_CHECKPOINT", {
      attempt: `complete release ${release}`,
      rule: `it must hold ${name} as f32 [${shape.join(", ")}]`,
      value: tensor === undefined ? "absent" : `${tensor.dtype} [${tensor.shape.join(", ")}]`,
      remedy: "publish it again from a run of this network",
    });
  }
  const fault = loaded?.faults.get(name);
  if (fault === undefined) return tensor;
  throw new KnowledgeNetError("KN_NUMERIC", {
    attempt: `complete release ${release}`,
    rule: `every value of ${name} must be finite`,
    value: String(fault),
    remedy: "publish another generation of the run",
  });
}

function stale(release: number, held: readonly number[]): KnowledgeNetError {
  return new KnowledgeNetError("KN_STALE", {
    attempt: `compute with release ${release}`,
    rule: "it must be loaded completely",
    value: `held: ${held.join(", ") || "none"}`,
    remedy: "send the batch again with a release that all replicas hold",
  });
}

function assertFits({ dtype, shape, values }: TensorData, inputShape: readonly number[]): void {
  const [rows = 0, ...sample] = shape;
  const size = shape.reduce((product, extent) => product * extent, 1);
  const isFit = rows >= 1 && tf.util.arraysEqual(sample, [...inputShape]) && dtype !== "i32" && values.length === size;
  if (isFit) return;
  throw new KnowledgeNetError("KN_SHAPE", {
    attempt: "compute a batch",
    rule: `it must be f32 or u8 [n, ${inputShape.join(", ")}] with n >= 1`,
    value: `${dtype} [${shape.join(", ")}] of ${values.length} values`,
  });
}
