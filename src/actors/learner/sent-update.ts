/** Updates that the learner itself built, read back from their bytes. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type BuiltUpdate, readUpdate } from "../../models/updates/index.ts";

export type SentUpdate = Pick<BuiltUpdate, "bytes" | "update">;

/** @throws KnowledgeNetError KN_INVARIANT when it cannot read what it built */
export function sentUpdate(bytes: Uint8Array, model: string): SentUpdate {
  const read = readUpdate(bytes, { model, trusted: [] });
  if (read.kind === "read") return { bytes, update: read.update };
  throw new KnowledgeNetError("KN_INVARIANT", {
    attempt: "send an update",
    rule: "the follower must be able to read what it built",
    value: read.reason,
    remedy: "report it",
  });
}
