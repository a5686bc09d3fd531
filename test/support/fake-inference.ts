/**
 * A slice of a served network without a tensor library, for tests of actors: every output is linear in the sample and
 * depends on the release. Same contract as the real one (test/support/inference-handle-contract.ts).
 */
import type { InferenceHandle, NamedTensorData, TensorData } from "../../src/compute/index.ts";
import { KnowledgeNetError } from "../../src/errors/index.ts";

export interface FakeInferenceOptions {
  /** Of one sample. */
  readonly inputShape: readonly number[];
  /** Of one sample. */
  readonly outputShape: readonly number[];
  /** Name -> shape of the weights that a release must have. @default the two of `fakeRelease` */
  readonly weights?: Readonly<Record<string, readonly number[]>>;
  /** Runs before each call, in order; a promise delays this call and those behind it, an error is the call's. */
  readonly before?: (call: FakeInferenceCall, release: number, rows: number) => void | Promise<void>;
}

export type FakeInferenceCall = "load" | "complete" | "infer" | "drop";

const WEIGHTS = { "weights/fake/factor": [1], "weights/fake/term": [1] } as const;
/** What `computeMs` of a batch is: a + b n. */
const FAKE_MS = { a: 1, b: 0.25 } as const;

/** Weights of a release, in buffers of their own: element j of an output is `factor` * input[j mod size] + `term`. */
export function fakeRelease(factor: number, term: number): NamedTensorData {
  const one = (value: number): TensorData => ({ dtype: "f32", shape: [1], values: Float32Array.of(value) });
  return { "weights/fake/factor": one(factor), "weights/fake/term": one(term) };
}

/**
 * The factor is the sum of the first of `weights`, the term that of the others, so that any weights do.
 * @returns what `infer` answers for finite rows, flat.
 */
export function fakeOutput(
  weights: NamedTensorData,
  input: TensorData,
  outputShape: readonly number[],
  names: readonly string[] = Object.keys(weights),
): Float32Array {
  const [factor = 0, ...terms] = names.map((name) =>
    Array.from(weights[name]?.values ?? []).reduce((sum, value) => sum + value, 0),
  );
  const term = terms.reduce((sum, value) => sum + value, 0);
  const rows = input.shape[0] ?? 0;
  const size = input.values.length / rows;
  const outputs = sizeOf(outputShape);
  return Float32Array.from({ length: rows * outputs }, (_, index) => {
    const row = Math.floor(index / outputs);
    return factor * (input.values[row * size + ((index % outputs) % size)] ?? 0) + term;
  });
}

export function fakeInference({
  inputShape,
  outputShape,
  weights = WEIGHTS,
  before = () => undefined,
}: FakeInferenceOptions): InferenceHandle & { releases(): number[] } {
  const loading = new Map<number, Record<string, TensorData>>();
  const complete = new Map<number, NamedTensorData>();
  let isClosed = false;
  let last: Promise<unknown> = Promise.resolve();

  /** One after another, as in a worker. */
  const call = <T>(name: FakeInferenceCall, release: number, work: () => T, rows = 0): Promise<T> => {
    const result = last.then(async () => {
      await before(name, release, rows);
      if (isClosed) throw failure("KN_INVARIANT", name, "the unit must be open", "closed");
      return work();
    });
    last = result.catch(() => undefined);
    return result;
  };
  const drop = (release: number): void => {
    loading.delete(release);
    complete.delete(release);
  };
  const infer: InferenceHandle["infer"] = (release, given) => {
    const input = moved(given);
    const compute = () => {
      const found = complete.get(release);
      if (found === undefined) throw failure("KN_STALE", "infer", "the release must be complete", String(release));
      const [rows = 0, ...sample] = input.shape;
      const isFit = rows >= 1 && equal(sample, inputShape) && input.values.length === sizeOf(input.shape);
      if (!isFit || input.dtype === "i32") {
        throw failure(
          "KN_SHAPE",
          "infer",
          `it must be f32 or u8 [n, ${inputShape.join(", ")}]`,
          input.shape.join(", "),
        );
      }
      const values = fakeOutput(found, input, outputShape, Object.keys(weights));
      const size = values.length / rows;
      const nonFiniteRows: number[] = [];
      for (let row = 0; row < rows; row += 1) {
        if (values.subarray(row * size, (row + 1) * size).every(Number.isFinite)) continue;
        values.fill(0, row * size, (row + 1) * size);
        nonFiniteRows.push(row);
      }
      const output = { dtype: "f32", shape: [rows, ...outputShape], values } as const;
      return { result: { output, nonFiniteRows }, computeMs: FAKE_MS.a + FAKE_MS.b * rows };
    };
    return call("infer", release, compute, input.shape[0]);
  };

  return {
    parameters: Object.values(weights).reduce((sum, shape) => sum + sizeOf(shape), 0),
    outputShape,
    load(release, tensors) {
      const owned = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, moved(tensor)]));
      return call("load", release, () => {
        if (complete.has(release)) throw failure("KN_INVARIANT", "load", "a complete release must not change", "");
        loading.set(release, { ...loading.get(release), ...owned });
        return { result: undefined, computeMs: 0.1 };
      });
    },
    complete: (release) =>
      call("complete", release, () => {
        if (complete.has(release)) return { result: undefined, computeMs: 0 };
        const loaded = loading.get(release) ?? {};
        drop(release);
        for (const [name, shape] of Object.entries(weights)) {
          const tensor = loaded[name];
          if (tensor === undefined || !equal(tensor.shape, shape)) {
            throw failure("KN_CHECKPOINT", "complete", `it must hold ${name} [${shape.join(", ")}]`, "");
          }
          if (!Array.from(tensor.values).every(Number.isFinite)) {
            throw failure("KN_NUMERIC", "complete", `every value of ${name} must be finite`, "");
          }
        }
        complete.set(release, loaded);
        return { result: undefined, computeMs: 0.1 };
      }),
    async warm(release, batchSizes) {
      const times: number[] = [];
      for (const rows of batchSizes) {
        const values = new Float32Array(rows * sizeOf(inputShape));
        times.push((await infer(release, { dtype: "f32", shape: [rows, ...inputShape], values })).computeMs);
      }
      return times;
    },
    infer,
    drop: (release) =>
      call("drop", release, () => {
        drop(release);
      }),
    close() {
      isClosed = true;
      loading.clear();
      complete.clear();
      return Promise.resolve();
    },
    releases: () => [...complete.keys()],
  };
}

/** As a transfer does it: a tensor that fills its buffer is lost to the caller. */
function moved(tensor: TensorData): TensorData {
  return structuredClone(tensor, {
    transfer: tensor.values.byteLength === tensor.values.buffer.byteLength ? [tensor.values.buffer as ArrayBuffer] : [],
  });
}

function failure(
  code: "KN_STALE" | "KN_SHAPE" | "KN_CHECKPOINT" | "KN_NUMERIC" | "KN_INVARIANT",
  call: string,
  rule: string,
  value: string,
) {
  return new KnowledgeNetError(code, { attempt: `${call} of a fake unit`, rule, value });
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, index) => extent === b[index]);
}
