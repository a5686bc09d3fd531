/** `kn keys new FILE`: a pair of keys that releases are signed with and accepted by. */
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { newKeyPair } from "../../../models/index.ts";
import { TRUSTED_KEYS_VARIABLE } from "../../models/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";

/** Read and written by the owner alone. */
const PRIVATE_MODE = 0o600;

export function registerKeys(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("keys")
    .description("keys that releases are signed with")
    .command("new")
    .argument("<file>", "file of the private key; the public one is written beside it, with .pub")
    .description("make a pair of Ed25519 keys; files that exist are left alone")
    .action(async (file: string) => {
      const { privatePem, publicPem, keyId } = newKeyPair();
      await writeNew(file, privatePem, PRIVATE_MODE);
      await writeNew(`${file}.pub`, publicPem);
      terminal.write(`key ${keyId}: ${file} (private), ${file}.pub (public)`);
      terminal.write(`sign: kn publish RUN --key ${file}`);
      terminal.write(`accept only what is signed: ${TRUSTED_KEYS_VARIABLE}=${file}.pub, or --trust ${file}.pub`);
      exit(EXIT_OK);
    });
}

async function writeNew(file: string, text: string, mode = 0o644): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx", mode });
  } catch (error) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `write the key ${file}`,
      rule: "it must be a new file in a folder that is writable",
      value: error instanceof Error ? error.message : String(error),
      remedy: "choose another name",
      cause: error,
    });
  }
}
