/** Reads blobs by digest. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { sha256Beside } from "../sha256.ts";
import type { Blobs } from "../store/store.ts";

/** @returns undefined when it is absent. Rejects with KN_CHECKPOINT when its content is not that of the digest. */
export async function readArtifact(blobs: Blobs, name: string, digest: string): Promise<Uint8Array | undefined> {
  const bytes = await blobs.get(name);
  if (bytes === undefined) return undefined;
  const actual = await sha256Beside(bytes);
  if (actual === digest) return bytes;
  throw new KnowledgeNetError("KN_CHECKPOINT", {
    attempt: `read ${name}`,
    rule: `its content must have the digest ${digest}`,
    value: actual,
    remedy: "use an older generation",
  });
}
