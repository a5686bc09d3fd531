/** The oracle's sections, one after the other, with what each gives: for students whose sections learn from them. */
import type { Lesson } from "../../../src/actors/learner/index.ts";
import {
  type ComputeWorker,
  openInference,
  type InferenceHandle,
  type TensorData,
} from "../../../src/compute/index.ts";
import { copyTensor, type TensorView } from "../../../src/messages/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import { layersOfBlocks, measureSections, type ModelSpec } from "../../../src/run-spec/index.ts";

export interface TeachingOracle extends AsyncDisposable {
  teach(inputs: TensorView): Promise<Lesson>;
}

const KEY = 1;

/** @param network cut into its sections */
export async function openTeachingOracle(
  network: ModelSpec,
  weights: NamedTensors,
  worker: ComputeWorker,
): Promise<TeachingOracle> {
  const measures = measureSections(network);
  const sections: InferenceHandle[] = [];
  for (const [index, layers] of layersOfBlocks(network).entries()) {
    const inputShape = measures[index]?.inputShape ?? [];
    const section = await openInference(worker, `oracle.section-${index}`, { inputShape, layers });
    const names = layers.map(({ name }) => `weights/${name}/`);
    const own = Object.entries(weights).filter(([key]) => names.some((name) => key.startsWith(name)));
    await section.load(KEY, Object.fromEntries(own.map(([key, tensor]) => [key, copyTensor(tensor)])));
    await section.complete(KEY);
    sections.push(section);
  }
  return {
    async teach(inputs) {
      const outputs: TensorData[] = [];
      for (const section of sections) {
        const { result } = await section.infer(KEY, copyTensor(outputs.at(-1) ?? inputs));
        outputs.push(result.output);
      }
      const logits = outputs.pop() as TensorData;
      return { activations: outputs, logits };
    },
    async [Symbol.asyncDispose]() {
      for (const section of sections) await section.close();
    },
  };
}
