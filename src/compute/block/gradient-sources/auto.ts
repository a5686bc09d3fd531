/**
 * The auxiliary head or the gradient model, as auto-policy.ts decides. The other one keeps learning: the gradient model
 * from every batch, since its quality decides the choice; the head, which costs a whole update, from every fourth.
 */
import { type AutoChoice, firstChoice } from "./auto-policy.ts";
import type { AuxiliaryHead } from "./auxiliary-head.ts";
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";
import { syntheticSource } from "./synthetic.ts";

/**
 * While the gradient model is selected the head learns from every n-th step: a quarter of its cost, and close enough.
 */
const HEAD_LEARNS_EVERY = 4;

export interface AutoSourceParts {
  /** Taken over. */
  readonly head: AuxiliaryHead;
  /** Undefined when it is on another node: it then receives every activation there. */
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
