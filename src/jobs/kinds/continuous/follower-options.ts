/** What a spec says to a follower of one network. Pure. */
import type { FollowerOptions } from "../../../actors/learner/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { ContinuousSpec, ModelSpec } from "../../../run-spec/index.ts";

/** Bytes of an update's record and signature, without a value. */
const RECORD_BYTES = 1_024;
/** Of one weight in an update, at least: its value, and the gap to it. */
const WEIGHT_BYTES = { f32: 4.5, int8: 1.5, int4: 1 } as const;
/** A smaller share of the weights trains nothing. */
const LEAST_FRACTION = 0.001;

/**
 * @param dtype of the observations
 * @param parameters weights of the network
 * @throws KnowledgeNetError KN_CONFIG when `update.maxBytes` cannot carry an update of the network
 */
export function followerOptionsOf(
  spec: ContinuousSpec,
  network: ModelSpec,
  { dtype, parameters }: { readonly dtype: "u8" | "f32"; readonly parameters: number },
): FollowerOptions {
  const { seed, student, window, training, update, gate, watch } = spec;
  const { codec, fraction, anchorEvery, maxBytes } = update;
  const least = Math.ceil(RECORD_BYTES + parameters * Math.min(fraction, LEAST_FRACTION) * WEIGHT_BYTES[codec]);
  if (maxBytes < least) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `follow ${student.model}`,
      rule: `update.maxBytes must carry one update of ${parameters} weights, at least ${least} bytes`,
      value: String(maxBytes),
      remedy: "raise it, or serve a smaller network",
    });
  }
  const { steps, batchSize, rehearsalShare, replay, recentWindows, probeShare, below, enough, sections } = training;
  return {
    model: student.model,
    seed,
    classes: network.classes,
    sampleShape: network.input,
    dtype,
    window,
    training: {
      ...{ steps, batchSize, rehearsalShare, replay, recentWindows, probeShare, below, enough },
      sectionSteps: sections?.steps ?? 0,
    },
    update: { fraction, coding: { codec }, anchorEvery, maxBytes },
    gate,
    watch,
    evidence: spec.evidence,
  };
}
