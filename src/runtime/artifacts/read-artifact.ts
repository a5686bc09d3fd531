/** Reads blobs by digest. */
import type { Blobs } from "../store/store.ts";
import { verifyDigest } from "./artifact-names.ts";

/** @returns undefined when it is absent. Rejects with KN_CHECKPOINT when its content is not that of the digest. */
export async function readArtifact(blobs: Blobs, name: string, digest: string): Promise<Uint8Array | undefined> {
  const bytes = await blobs.get(name);
  if (bytes !== undefined) verifyDigest(name, bytes, digest);
  return bytes;
}
