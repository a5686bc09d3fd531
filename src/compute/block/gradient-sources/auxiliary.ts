/** The local classifier's own loss trains the block at once; no gradient returns over the bus. */
import type { AuxiliaryHead } from "./auxiliary-head.ts";
import type { GradientSource } from "./gradient-source.ts";

/** Takes over `head`. */
export function auxiliarySource(head: AuxiliaryHead): GradientSource {
  return {
    // No `lossSum`: that is the task loss, at the last block.
    atOnce: ({ step, output, labels }) => ({ gradient: head.learn(step, output, labels), origin: "synthetic" }),
    onArrival: () => ({}),
    snapshot: () => head.snapshot(),
    restore(tensors) {
      head.restore(tensors);
    },
    dispose() {
      head.dispose();
    },
  };
}
