/** Files that are whole or not there: written beside the target, synced, renamed, and the folder synced. */
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type ErrorCode, KnowledgeNetError } from "../../../errors/index.ts";

/** Rejects with KN_CHECKPOINT when the disk is full, KN_UNAVAILABLE when it cannot be written; the old file stays. */
export async function writeDurably(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, "w");
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw translate(error, `write ${path}`);
  }
}

/** @returns undefined when the file is absent. */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw translate(error, `read ${path}`);
  }
}

export async function removeDurably(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  } catch (error) {
    throw translate(error, `remove ${path}`);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

const MEANINGS: Readonly<Record<string, { readonly code: ErrorCode; readonly rule: string; readonly remedy: string }>> = {
  ENOSPC: { code: "KN_CHECKPOINT", rule: "the disk must have room", remedy: "free some space and resume: what was saved before is intact" },
  EDQUOT: { code: "KN_CHECKPOINT", rule: "the quota must not be used up", remedy: "free some space and resume: what was saved before is intact" },
  EROFS: { code: "KN_UNAVAILABLE", rule: "the file system must be writable", remedy: "choose another folder" },
  EACCES: { code: "KN_UNAVAILABLE", rule: "the folder must be yours to write", remedy: "change its rights or choose another folder" },
  EPERM: { code: "KN_UNAVAILABLE", rule: "the folder must be yours to write", remedy: "change its rights or choose another folder" },
};

export function translate(error: unknown, attempt: string): KnowledgeNetError {
  if (error instanceof KnowledgeNetError) return error;
  const code = codeOf(error);
  const meaning = MEANINGS[code ?? ""] ?? { code: "KN_UNAVAILABLE" as const, rule: "the file system must serve it", remedy: "look at the disk" };
  const { code: errorCode, ...parts } = meaning;
  return new KnowledgeNetError(errorCode, { attempt, ...parts, value: code ?? String(error), cause: error });
}
