/** What can be known of a run before it begins, and what has to be refused then. */
import { createComputeWorker, type SliceDescription } from "../../compute/index.ts";
import type { Dataset } from "../../data/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { TrainingSpec } from "../../spec/index.ts";

/** Shapes and sizes of the cut model; refuses one whose layers do not fit, before anything is opened. */
export async function describeSlices(spec: TrainingSpec): Promise<SliceDescription[]> {
  // The plain backend: nothing is computed, only shapes are asked for.
  await using worker = await createComputeWorker({ backend: "cpu" });
  return (await worker.call("describeModel", { model: spec.model })).result;
}

/** @throws KnowledgeNetError KN_CONFIG when the data do not suit the model. */
export function checkDataset(spec: TrainingSpec, dataset: Dataset): void {
  const [expected, found] = [spec.model.input, dataset.sampleShape].map((shape) => `[${shape.join(", ")}]`);
  if (expected !== found || spec.model.classes !== dataset.classes) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `train ${spec.name} on ${dataset.name}`,
      rule: `model.input and model.classes must be those of the data, ${found} and ${dataset.classes}`,
      value: `${expected} and ${spec.model.classes}`,
      remedy: "correct the spec",
    });
  }
}
