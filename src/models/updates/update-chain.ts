/** The trainer's end of the chain of updates of one model. Pure. */
import type { ModelUpdate, NumberedWeights } from "../../messages/index.ts";

/** A device that joins, or has missed an update, applies at most so many to an anchor. */
const ANCHOR_EVERY = 20;

export interface UpdateChain {
  /** What devices are to have; absent: nothing was sent yet. */
  readonly newest?: NumberedWeights;
  /** Updates since the last full one. */
  readonly sinceAnchor: number;
}

export const NO_UPDATES: UpdateChain = { sinceAnchor: 0 };

/**
 * The chain after `update`. A full one may repeat the newest number: it is an anchor, with the same weights.
 * @throws RangeError when it does not continue the chain: devices would refuse it
 */
export function extendChain({ newest, sinceAnchor }: UpdateChain, { kind, base, result }: ModelUpdate): UpdateChain {
  const refuse = (rule: string): RangeError => new RangeError(`update ${result.number} ${rule}`);
  if (kind === "full") {
    const isAnchor = newest?.number === result.number;
    if (isAnchor && newest.digest !== result.digest) throw refuse("is sent already, with other weights");
    if (!isAnchor && newest !== undefined && result.number < newest.number)
      throw refuse(`is not after ${newest.number}`);
    return { newest: result, sinceAnchor: 0 };
  }
  if (newest === undefined) throw refuse("is the first, and must be a full one");
  if (base?.number !== newest.number || base.digest !== newest.digest)
    throw refuse(`is not made from ${newest.number}`);
  return { newest: result, sinceAnchor: sinceAnchor + 1 };
}

/** Whether a full update of the newest number is to be made now, beside the one that made it. */
export function isAnchorDue({ sinceAnchor }: UpdateChain, anchorEvery = ANCHOR_EVERY): boolean {
  return sinceAnchor >= anchorEvery;
}
