/**
 * What a server says about itself and its models: metadata (the protocol), configuration, statistics and the repository's
 * index (Triton's extensions, which its clients ask for).
 */

export interface DescribedTensor {
  readonly name: string;
  readonly datatype: string;
  /** -1: any extent. */
  readonly shape: readonly number[];
}

export interface DescribedModel {
  readonly name: string;
  /** The one that answers requests without a version. */
  readonly version: string;
  /** Those that can be asked for, in this order. */
  readonly versions: readonly string[];
  readonly inputs: readonly DescribedTensor[];
  readonly outputs: readonly DescribedTensor[];
  readonly maxBatch: number;
  readonly classNames: readonly string[];
  /** As text in `parameters`: whatever else a reader may want to know of the release. */
  readonly properties?: Readonly<Record<string, string>>;
}

const PLATFORM = "knowledgenet";

export const EXTENSIONS = [
  "binary_tensor_data",
  "classification",
  "model_configuration",
  "model_repository",
  "schedule_policy",
  "statistics",
] as const;

export function serverMetadata(version: string): object {
  return { name: "knowledgenet", version, extensions: EXTENSIONS };
}

export function modelMetadata({ name, versions, inputs, outputs, properties }: DescribedModel): object {
  return {
    name,
    versions,
    platform: PLATFORM,
    inputs,
    outputs,
    ...(properties === undefined ? {} : { properties }),
  };
}

/** Shapes without the batch axis, types by Triton's names. */
export function modelConfiguration({ name, inputs, outputs, maxBatch, classNames, versions }: DescribedModel): object {
  const tensor = ({ name: tensorName, datatype, shape }: DescribedTensor): object => ({
    name: tensorName,
    data_type: datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`,
    dims: shape.length === 1 ? [1] : shape.slice(1),
  });
  return {
    name,
    platform: PLATFORM,
    backend: PLATFORM,
    max_batch_size: maxBatch,
    version_policy: { specific: { versions: versions.map(Number) } },
    input: inputs.map(tensor),
    output: outputs.map(tensor),
    dynamic_batching: {},
    parameters: { class_names: { string_value: classNames.join("\n") } },
  };
}

export interface DurationCount {
  readonly count: number;
  readonly totalMs: number;
}

export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Wall time of the last request, ms; 0: none. */
  readonly lastInferenceMs: number;
  /** Samples, and requests. */
  readonly inferences: number;
  readonly success: DurationCount;
  readonly fail: DurationCount;
  readonly queue: DurationCount;
  readonly compute: DurationCount;
}

export function modelStatistics(models: readonly ModelStatistics[]): object {
  const duration = ({ count, totalMs }: DurationCount): object => ({ count, ns: Math.round(totalMs * 1e6) });
  const none = { count: 0, ns: 0 };
  return {
    model_stats: models.map(({ name, version, lastInferenceMs, inferences, success, fail, queue, compute }) => ({
      name,
      version,
      last_inference: Math.round(lastInferenceMs),
      inference_count: inferences,
      execution_count: compute.count,
      inference_stats: {
        success: duration(success),
        fail: duration(fail),
        queue: duration(queue),
        compute_input: none,
        compute_infer: duration(compute),
        compute_output: none,
        cache_hit: none,
        cache_miss: none,
      },
      batch_stats: [],
    })),
  };
}

export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  /** Why it would refuse requests; empty: it is ready. */
  readonly unready: readonly string[];
}

export function repositoryIndex(entries: readonly IndexEntry[]): object {
  return entries.map(({ name, version, unready }) => ({
    name,
    version,
    state: unready.length === 0 ? "READY" : "UNAVAILABLE",
    reason: unready.join("; "),
  }));
}
