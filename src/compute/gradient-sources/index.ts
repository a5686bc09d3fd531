/** Ways to get the gradient at a block's output; see gradient-source.ts for the contract. */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { GradientSourceKind } from "../../spec/index.ts";
import type { GradientModel } from "./gradient-model.ts";
import type { GradientSource } from "./gradient-source.ts";
import { lockedSource } from "./locked.ts";
import { syntheticSource } from "./synthetic.ts";
import { taskLossSource } from "./task-loss.ts";

export { createGradientModel, type GradientModel, type PredictionQuality } from "./gradient-model.ts";
export type { GradientOrigin, GradientSource } from "./gradient-source.ts";

/** `task-loss` for the last block, otherwise what the spec names. */
export type BlockGradientSource = GradientSourceKind | "task-loss";

/** @throws KnowledgeNetError KN_INVARIANT when `synthetic` has no gradient model beside it. */
export function createGradientSource(kind: BlockGradientSource, gradientModel?: () => GradientModel): GradientSource {
  switch (kind) {
    case "task-loss":
      return taskLossSource();
    case "locked":
      return lockedSource();
    case "synthetic":
      if (gradientModel !== undefined) return syntheticSource(gradientModel);
      throw new KnowledgeNetError("KN_INVARIANT", {
        attempt: "open a block with a synthetic gradient source",
        rule: "its gradient model must be open in the same worker before it",
      });
  }
}
