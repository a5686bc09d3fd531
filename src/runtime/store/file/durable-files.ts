/**
 * Files that are whole or not there: written beside the target, synced, renamed, and the folder synced. A crash or a
 * full disk at any moment leaves the previous file.
 */
import type * as promises from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ErrorCode, isKnowledgeNetError, KnowledgeNetError } from "../../../errors/index.ts";

/** The part of `node:fs/promises` that the store uses. */
export type FileSystem = Pick<typeof promises, "link" | "mkdir" | "open" | "readdir" | "readFile" | "rename" | "rm">;

export interface DurableFiles {
  /** Makes the folder and its parents. */
  makeFolder(path: string): Promise<void>;
  /** Rejects with KN_CHECKPOINT when the disk is full, KN_UNAVAILABLE when it cannot be written; the old file stays. */
  write(folder: string, name: string, parts: readonly Uint8Array[]): Promise<void>;
  /** @returns undefined when the file is absent. */
  read(folder: string, name: string): Promise<Uint8Array | undefined>;
  /** The first `byteCount` bytes (fewer in a shorter file) and the file's size; undefined when it is absent. */
  readHead(
    folder: string,
    name: string,
    byteCount: number,
  ): Promise<{ head: Uint8Array; sizeBytes: number } | undefined>;
  /** Makes `bytes` the end of the file, from byte `at` on; absent files are made. Fails as `write`, perhaps half-way. */
  writeEnd(folder: string, name: string, at: number, bytes: Uint8Array): Promise<void>;
  /** Absent ones are no error. */
  remove(folder: string, name: string): Promise<void>;
  /** Removes the folder and all that is in it: wholly, or not at all. Absent ones are no error. */
  removeFolder(folder: string): Promise<void>;
  /** Names of whole files and folders, sorted; none when the folder is absent. Leftovers of a crash are not among them. */
  list(folder: string): Promise<string[]>;
  /** Names of those leftovers, sorted; what is being written is none. Only where no other process writes. */
  leftovers(folder: string): Promise<string[]>;
  /** Removes the leftovers. @returns their names */
  sweep(folder: string): Promise<string[]>;
}

/** No key, blob or bucket has a name that begins with a dot. */
const PARTIAL_PREFIX = ".partial-";

export function createDurableFiles(fileSystem: FileSystem): DurableFiles {
  let lastPartial = 0;
  /** Paths of partial files and folders that a call works on. */
  const working = new Set<string>();

  const withPartial = async (folder: string, work: (partial: string) => Promise<void>): Promise<void> => {
    lastPartial += 1;
    const partial = join(folder, `${PARTIAL_PREFIX}${lastPartial}`);
    working.add(partial);
    try {
      await work(partial);
    } finally {
      working.delete(partial);
    }
  };

  const syncFolder = async (path: string): Promise<void> => {
    const folder = await fileSystem.open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  };

  const orTranslate = async <T>(attempt: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw translate(error, attempt);
    }
  };

  /** Node reports ENOENT for any failure of a recursive mkdir; the first folder that fails gives the cause: EROFS, EACCES. */
  const reasonOf = async (path: string, error: unknown): Promise<unknown> => {
    for (let at = path; at !== dirname(at) && codeOf(error) === "ENOENT"; at = dirname(at)) {
      try {
        await fileSystem.mkdir(at);
        return error;
      } catch (found) {
        error = found;
      }
    }
    return error;
  };

  /** Gives undefined where there is no such file. */
  const ifPresent = async <T>(attempt: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw translate(error, attempt);
    }
  };

  const namesIn = async (attempt: string, folder: string): Promise<string[]> =>
    (await ifPresent(attempt, () => fileSystem.readdir(folder))) ?? [];

  const leftovers = async (folder: string): Promise<string[]> =>
    (await namesIn(`tidy ${folder}`, folder))
      .filter((name) => name.startsWith(PARTIAL_PREFIX) && !working.has(join(folder, name)))
      .sort();

  return {
    makeFolder: (path) =>
      orTranslate(`make the folder ${path}`, async () => {
        const first = await fileSystem.mkdir(path, { recursive: true }).catch(async (error: unknown) => {
          throw await reasonOf(path, error);
        });
        if (first === undefined) return;
        // Each new folder is an entry in its parent, which must be durable as well.
        for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
      }),
    write: (folder, name, parts) =>
      orTranslate(`write ${join(folder, name)}`, async () => {
        await withPartial(folder, async (partial) => {
          try {
            const file = await fileSystem.open(partial, "w");
            try {
              for (const part of parts) await file.writeFile(part);
              await file.sync();
            } finally {
              await file.close();
            }
            await fileSystem.rename(partial, join(folder, name));
          } catch (error) {
            await fileSystem.rm(partial, { force: true }).catch(() => undefined);
            throw error;
          }
        });
        await syncFolder(folder);
      }),
    read: (folder, name) => ifPresent(`read ${join(folder, name)}`, () => fileSystem.readFile(join(folder, name))),
    readHead: (folder, name, byteCount) =>
      ifPresent(`read ${join(folder, name)}`, async () => {
        const file = await fileSystem.open(join(folder, name), "r");
        try {
          const { size: sizeBytes } = await file.stat();
          const { buffer, bytesRead } = await file.read(new Uint8Array(byteCount), 0, byteCount, 0);
          return { head: buffer.subarray(0, bytesRead), sizeBytes };
        } finally {
          await file.close();
        }
      }),
    writeEnd: (folder, name, at, bytes) =>
      orTranslate(`write ${join(folder, name)}`, async () => {
        const path = join(folder, name);
        const isNew = at === 0;
        const file = await fileSystem.open(path, isNew ? "w" : "r+");
        try {
          if (!isNew) await file.truncate(at);
          await file.write(bytes, 0, bytes.byteLength, at);
          await file.sync();
        } finally {
          await file.close();
        }
        if (isNew) await syncFolder(folder);
      }),
    remove: (folder, name) =>
      orTranslate(`remove ${join(folder, name)}`, async () => {
        await fileSystem.rm(join(folder, name), { force: true });
        await syncFolder(folder);
      }),
    removeFolder: (folder) =>
      orTranslate(`remove ${folder}`, async () => {
        await withPartial(dirname(folder), async (doomed) => {
          try {
            await fileSystem.rename(folder, doomed);
          } catch (error) {
            if (codeOf(error) === "ENOENT") return;
            throw error;
          }
          await syncFolder(dirname(folder));
          await fileSystem.rm(doomed, { force: true, recursive: true });
        });
      }),
    list: async (folder) => (await namesIn(`list ${folder}`, folder)).filter((name) => !name.startsWith(".")).sort(),
    leftovers,
    sweep: (folder) =>
      orTranslate(`tidy ${folder}`, async () => {
        const names = await leftovers(folder);
        for (const name of names) await fileSystem.rm(join(folder, name), { force: true, recursive: true });
        return names;
      }),
  };
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly rule: string;
  readonly remedy: string;
  readonly mayPass?: boolean;
}

const FULL: Meaning = {
  code: "KN_CHECKPOINT",
  rule: "there must be room on the disk",
  remedy: "free some space, then save again: what was saved before is intact",
  mayPass: true,
};
const FORBIDDEN: Meaning = {
  code: "KN_UNAVAILABLE",
  rule: "this process must be allowed to write there",
  remedy: "change the folder's rights, or choose another folder",
};
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: { ...FULL, mayPass: false },
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EROFS: {
    code: "KN_UNAVAILABLE",
    rule: "the file system must be writable",
    remedy: "choose another folder, or mount it writable",
  },
  ENOTDIR: { code: "KN_UNAVAILABLE", rule: "its parts must be folders", remedy: "choose another folder" },
  EEXIST: { code: "KN_UNAVAILABLE", rule: "a folder must be there, not a file", remedy: "choose another folder" },
};
const OTHER: Meaning = { code: "KN_UNAVAILABLE", rule: "the file system must do it", remedy: "check the disk" };

/** A file system's error as a KnowledgeNetError. */
export function translate(error: unknown, attempt: string): KnowledgeNetError {
  if (isKnowledgeNetError(error)) return error;
  const value = codeOf(error) ?? String(error);
  const { code, ...meaning } = MEANINGS[value] ?? OTHER;
  return new KnowledgeNetError(code, { attempt, value, ...meaning, cause: error });
}
