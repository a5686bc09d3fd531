/**
 * Refuses batches too small for batch norm. It normalises each channel over the batch and the positions of an image; of
 * a single value the result is a constant, and nothing behind it can learn. Batches are all of one size: the rest of an
 * epoch that fills no batch is left out.
 */
import { KnowledgeNetError } from "../errors/index.ts";
import { measureLayers, type ModelSpec } from "../run-spec/index.ts";

/** A batch norm that is trained. */
export interface TrainedNorm {
  /** "layer norm2", "the gradient model after relu2". */
  readonly name: string;
  /** Shape of one sample at its input, channels last. */
  readonly shape: readonly number[];
}

export interface BatchNormCheck {
  /** Name of the spec. */
  readonly spec: string;
  /** Key of the batch size in the spec. */
  readonly batchKey: string;
  readonly batchSize: number;
  readonly norms: readonly TrainedNorm[];
}

/** The batch norms among the layers of `model`. @throws KnowledgeNetError KN_SHAPE when layers do not fit. */
export function normsOf(model: Pick<ModelSpec, "input" | "layers">): TrainedNorm[] {
  return measureLayers(model)
    .filter(({ type }) => type === "batch_normalization")
    .map(({ name, outputShape }) => ({ name: `layer ${name}`, shape: outputShape }));
}

/** @throws KnowledgeNetError KN_CONFIG when a batch gives one of `norms` fewer than two values per channel. */
export function checkBatchNorm({ spec, batchKey, batchSize, norms }: BatchNormCheck): void {
  for (const { name, shape } of norms) {
    const values = shape.slice(0, -1).reduce((product, extent) => product * extent, batchSize);
    if (values >= 2) continue;
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `plan ${spec}`,
      rule: `batch norm needs at least 2 values per channel to normalise over: ${name}, ${batchKey} ${batchSize}`,
      value: `${values}`,
      remedy: `raise ${batchKey} to at least 2`,
    });
  }
}
