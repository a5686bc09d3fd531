/** Checks before a run starts: shapes and sizes of its slices, and whether the data suit the model. */
import { createComputeWorker } from "../compute/index.ts";
import type { Dataset } from "../data/index.ts";
import { KnowledgeNetError } from "../errors/index.ts";
import type { ModelSpec, RunSpec } from "../run-spec/index.ts";
import { checkFrames } from "./check-frames.ts";
import { jobKindOf } from "./kinds/index.ts";
import type { RunSlices } from "./run-parts.ts";

/** Shapes and sizes of the slices of each model. Rejects with KN_SHAPE when layers do not fit, else KN_CONFIG. */
export async function describeSlices(spec: RunSpec): Promise<RunSlices> {
  // The plain backend: only shapes are inferred, nothing is computed.
  await using worker = await createComputeWorker({ backend: "cpu" });
  const describe = async (model: ModelSpec) => (await worker.call("describeModel", { model })).result;
  const slices = await jobKindOf(spec).slices(spec, describe);
  checkFrames(spec, slices);
  return slices;
}

/** The network that a run trains. */
export function modelOf(spec: RunSpec): ModelSpec {
  return jobKindOf(spec).modelOf(spec);
}

/** @throws KnowledgeNetError KN_CONFIG when the data do not suit the model. */
export function checkDataset(spec: RunSpec, dataset: Dataset): void {
  const model = modelOf(spec);
  const [expected, found] = [model.input, dataset.sampleShape].map((shape) => `[${shape.join(", ")}]`);
  if (expected !== found || model.classes !== dataset.classes) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `train ${spec.name} on ${dataset.name}`,
      rule: `the model's input and classes must equal those of the data, ${found} and ${dataset.classes}`,
      value: `${expected} and ${model.classes}`,
      remedy: "correct the spec",
    });
  }
}
