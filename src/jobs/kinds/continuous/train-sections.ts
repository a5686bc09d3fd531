/**
 * The student's sections learn from the oracle's, side by side: each gets the activation of the oracle's section before and
 * is to give that of its own (docs/adr/0010). Where its boundaries are the oracle's, so no adapters are needed.
 */
import type { SectionPlan } from "../../../actors/learner/index.ts";
import { type ComputeWorker, openSection, type SectionHandle, type TensorData } from "../../../compute/index.ts";
import { copyTensor, type TensorView } from "../../../messages/index.ts";
import type { NamedTensors } from "../../../models/index.ts";
import { type HintSpec, layersOfBlocks, measureSections } from "../../../run-spec/index.ts";
import type { StudentLabOptions } from "./student-lab-options.ts";

export interface TrainSectionsOptions extends Omit<StudentLabOptions, "augmentation"> {
  readonly hint: HintSpec;
  /** The inputs as step `step` shows them, a copy. */
  readonly viewOf: (inputs: TensorView, step: number) => TensorData;
}

/** @returns a copy of `from`, trained by the oracle until the plan ends or the oracle does. Rejects as `SectionHandle`. */
export async function trainSections(
  options: TrainSectionsOptions,
  worker: ComputeWorker,
  from: NamedTensors,
  plan: SectionPlan,
): Promise<NamedTensors> {
  const sections: SectionHandle[] = [];
  try {
    for (const index of layersOfBlocks(options.network).keys()) {
      const section = await openSection(
        worker,
        `${options.name}.section-${index}`,
        sectionOptions(options, index, plan),
      );
      sections.push(section);
      await section.restore({ version: 0, tensors: from });
      if (plan.focus !== undefined) await section.focus(plan.focus);
    }
    for (let step = 1; step <= plan.steps; step += 1) {
      const { inputs, labels } = plan.batch(step);
      const view = options.viewOf(inputs, step);
      const taught = await plan.teach(view);
      if (taught === undefined) break;
      const outputs = [...taught.activations, taught.logits];
      const own = { dtype: "i32", shape: [labels.length], values: labels } as const;
      const requests = sections.map((section, index) =>
        section.train(
          {
            ...{ step, ownShare: 0, labels: { ...own, values: labels.slice() } },
            input: index === 0 ? view : copyTensor(outputs[index - 1] as TensorView),
            hint: copyTensor(outputs[index] as TensorView),
          },
          undefined,
        ),
      );
      await Promise.all(requests);
    }
    const snapshots = await Promise.all(sections.map((section) => section.snapshot()));
    const trained = snapshots.flatMap(({ tensors }) => Object.entries(tensors));
    return Object.fromEntries(trained.filter(([name]) => name.startsWith("weights/")));
  } finally {
    for (const section of sections) await section.dispose();
  }
}

function sectionOptions(options: TrainSectionsOptions, index: number, { steps }: SectionPlan) {
  const { network, optimizer, learningRate, loss, hint, seed } = options;
  const blocks = layersOfBlocks(network);
  const { logits, crossEntropy } = loss;
  return {
    inputShape: measureSections(network)[index]?.inputShape ?? [],
    layers: blocks[index] ?? [],
    classes: network.classes,
    seed,
    optimizer,
    learningRate: { ...learningRate, totalSteps: steps },
    objective:
      index < blocks.length - 1
        ? ({ kind: "features", hint, localCrossEntropy: 0 } as const)
        : ({ kind: "logits", crossEntropy, ...(logits === undefined ? {} : { teacher: logits }) } as const),
    averageDecay: 0,
  };
}
