/**
 * The auxiliary head or the gradient model, whoever is told to be in charge (auto-policy.ts decides). Both go on learning
 * meanwhile: M is kept up to date with every batch, since its quality is what the choice hangs on; the head, which
 * costs a whole update, with every fourth.
 */
import { type AutoChoice, firstChoice } from "./auto-policy.ts";
import type { AuxiliaryHead } from "./auxiliary-head.ts";
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";
import { syntheticSource } from "./synthetic.ts";

/** The head learns from every n-th step while M is in charge: a quarter of its cost, and it stays near the block. */
const HEAD_LEARNS_EVERY = 4;

export interface AutoSourceParts {
  /** Taken over. */
  readonly head: AuxiliaryHead;
  /** Undefined when M is on another node: then it hears the activation there, whoever is in charge here. */
  readonly gradientModel: (() => GradientModel) | undefined;
  /** The boundary has height and width. */
  readonly isSpatial: boolean;
}

export function autoSource({ head, gradientModel, isSpatial }: AutoSourceParts): GradientSource {
  const synthetic = syntheticSource(gradientModel);
  let current: AutoChoice = firstChoice(isSpatial);
  return {
    atOnce(context) {
      const { step, output, labels } = context;
      if (current === "auxiliary") {
        gradientModel?.().remember(step, output, labels);
        return { gradient: head.learn(step, output, labels), origin: "synthetic" };
      }
      if (step % HEAD_LEARNS_EVERY === 0) head.learn(step, output, labels).dispose();
      return synthetic.atOnce(context);
    },
    onArrival: (context) => synthetic.onArrival(context),
    use(choice) {
      const isChange = choice !== current;
      current = choice;
      return isChange;
    },
    snapshot: () => head.snapshot(),
    restore(tensors) {
      head.restore(tensors);
    },
    dispose() {
      head.dispose();
    },
  };
}
