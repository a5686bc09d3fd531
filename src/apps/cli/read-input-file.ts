/** The image files that a model is asked about. */
import { readFile } from "node:fs/promises";
import { KnowledgeNetError } from "../../errors/index.ts";

/** Rejects with KN_CONFIG when it cannot be read. */
export async function readInputFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read ${file}`,
      rule: "it must be a readable file",
      value: error instanceof Error ? error.message : String(error),
      remedy: "name a PNG or JPEG image",
      cause: error,
    });
  }
}
