import type { HeaderFields } from "../generated/knowledgenet.ts";
import { isRunName, isSubjectToken } from "../subjects/token.ts";
import { readCount, readToken } from "./fields.ts";
import { refusal } from "./refusal.ts";

/** Position of a message in its run; every field as in training.proto. Numbers are integers from 0 to 2^53 - 1. */
export interface Header {
  readonly run: string;
  readonly sender: string;
  readonly sequence: number;
  readonly step: number;
  readonly version: number;
  readonly fence: number;
}

/** @throws KnowledgeNetError KN_DECODE. */
export function readHeader(attempt: string, fields: HeaderFields | null | undefined): Header {
  if (fields === null || fields === undefined) throw refusal(attempt, "it must have a header", "none");
  const run = fields.run ?? "";
  if (!isRunName(run)) throw refusal(attempt, "run must be 1 to 64 characters of [A-Za-z0-9_-] and not reserved", run);
  return {
    run,
    sender: readToken(attempt, "sender", fields.sender),
    sequence: readCount(attempt, "sequence", fields.sequence),
    step: readCount(attempt, "step", fields.step),
    version: readCount(attempt, "version", fields.version),
    fence: readCount(attempt, "fence", fields.fence),
  };
}

/** @throws RangeError on a header that every receiver refuses: the sender has a bug. */
export function writeHeader({ run, sender, sequence, step, version, fence }: Header): HeaderFields {
  if (!isRunName(run))
    throw new RangeError(`Cannot send for the run ${JSON.stringify(run)}: it must be the name of a run`);
  if (!isSubjectToken(sender))
    throw new RangeError(`Cannot send as ${JSON.stringify(sender)}: it must be a subject token`);
  return {
    run,
    sender,
    sequence: writeCount("sequence", sequence),
    step: writeCount("step", step),
    version: writeCount("version", version),
    fence: writeCount("fence", fence),
  };
}

/** @throws RangeError unless `count` is an integer from 0 to 2^53 - 1. */
export function writeCount(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new RangeError(`Cannot send ${name} ${count}: it must be an integer from 0 to 2^53 - 1`);
}
