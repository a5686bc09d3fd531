/** Observed inputs of a batch: sent at once, or with the logits of a candidate when it has computed its copy. */
import { copyTensor, rowsOf, type TensorView } from "../../messages/index.ts";
import type { ObservedBatch } from "./batch-content.ts";
import type { LiveInputSender } from "./live-inputs.ts";

/** What a candidate computed of a whole batch. */
export interface CandidateCopy {
  /** Of the candidate. */
  readonly release: number;
  /** f32 [n, classes]. */
  readonly logits: TensorView;
  /** Rows without a finite result. */
  readonly nonFinite: readonly number[];
}

export interface ObservedCopies {
  /** The batch with inputs of its own: after the answer a client may write to them. */
  own(batch: ObservedBatch): ObservedBatch;
  withoutCandidate(batch: ObservedBatch): void;
  withCandidate(batch: ObservedBatch, copy: CandidateCopy): void;
}

export function createObservedCopies(liveInputs: Pick<LiveInputSender, "send">): ObservedCopies {
  const send = ({ release, inputs }: ObservedBatch): void => {
    if (inputs.length > 0) liveInputs.send(release, inputs);
  };
  return {
    own: ({ release, inputs }) => ({
      release,
      inputs: inputs.map((each) => ({ ...each, input: copyTensor(each.input) })),
    }),
    withoutCandidate: send,
    withCandidate: ({ release, inputs }, { release: candidateRelease, logits, nonFinite }) => {
      send({
        release,
        inputs: inputs.map((each) => {
          const { from, to } = each;
          // A candidate of another network has other classes: there is nothing to compare.
          const isComparable =
            logits.shape[1] === each.logits.shape[1] && !nonFinite.some((row) => row >= from && row < to);
          return isComparable ? { ...each, candidateRelease, candidateLogits: rowsOf(logits, from, to) } : each;
        }),
      });
    },
  };
}
