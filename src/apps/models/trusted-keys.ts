/** Keys in files: the one that signs releases, and those that releases are accepted from. */
import { readFile } from "node:fs/promises";
import { delimiter } from "node:path";
import { KnowledgeNetError } from "../../errors/index.ts";
import { readSigner, readTrustedKey, type Signer, type TrustedKey } from "../../models/index.ts";

/** Files of public keys, separated like `PATH`. */
export const TRUSTED_KEYS_VARIABLE = "KN_TRUSTED_KEYS";

/**
 * @param files those that an option names; none: those of the environment
 * Rejects with KN_CONFIG when a file cannot be read, or holds no public Ed25519 key.
 */
export async function trustedKeys(files: readonly string[], env: NodeJS.ProcessEnv): Promise<TrustedKey[]> {
  const named = files.length > 0 ? files : (env[TRUSTED_KEYS_VARIABLE] ?? "").split(delimiter);
  const paths = named.filter((path) => path !== "");
  return Promise.all(paths.map(async (path) => readTrustedKey(await readKeyFile(path), path)));
}

/** Rejects with KN_CONFIG when the file cannot be read, or holds no private Ed25519 key. */
export async function signerIn(file: string): Promise<Signer> {
  return readSigner(await readKeyFile(file), file);
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `read the key ${path}`,
      rule: "it must be a readable file",
      value: error instanceof Error ? error.message : String(error),
      remedy: "`kn keys new FILE` makes a pair",
      cause: error,
    });
  }
}
