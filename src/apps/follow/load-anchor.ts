/** The inputs of the time before the stream, from a data set, drawn by the run's seed. */
import type { Anchor } from "../../actors/learner/index.ts";
import { epochOrder } from "../../data/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import type { ContinuousSpec, ModelSpec } from "../../run-spec/index.ts";
import { openDataset } from "../open-dataset.ts";

/** Rejects with KN_CONFIG when the data are absent, or are not of the student's input and classes. */
export async function loadAnchor(
  { seed, anchor }: ContinuousSpec,
  network: Pick<ModelSpec, "input" | "classes">,
  { data: folder, env }: { readonly data: string | undefined; readonly env: NodeJS.ProcessEnv },
): Promise<Anchor | undefined> {
  if (anchor === undefined) return undefined;
  const { dataset: name, directory, images, rehearsal } = anchor;
  const data = { dataset: name, holdout: 0, ...(directory === undefined ? {} : { directory }) };
  const dataset = await openDataset({ data, env, ...(folder === undefined ? {} : { directory: folder }) });
  const { sampleShape, classes, train, test } = dataset;
  if (sampleShape.join() !== network.input.join() || classes !== network.classes) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `remember ${name}`,
      rule: `its images must be [${network.input.join(", ")}] in ${network.classes} classes, as the student's`,
      value: `[${sampleShape.join(", ")}] in ${classes} classes`,
      remedy: "name another anchor.dataset, or none",
    });
  }
  const known = test.batch(epochOrder(test.count, seed, 0).subarray(0, images));
  const rehearsed = train.batch(epochOrder(train.count, seed, 1).subarray(0, rehearsal));
  return {
    test: { inputs: known.samples, labels: Int32Array.from(known.labels.values) },
    rehearsal: rehearsed.samples,
  };
}
