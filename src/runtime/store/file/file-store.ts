/**
 * The store on a disk: one folder, one process at a time. A change that was reported as done outlives a crash and a power
 * cut; one that was reported as failed has changed nothing.
 *
 *     lock                     the process that has it open
 *     kv/<bucket>/<key>        a record; .bucket, .revision: facts of the bucket
 *     blobs/<bucket>/<name>    a blob
 *     logs/<name>              a log
 *
 * On a file system that ignores case (macOS by default) names must not differ in case alone.
 */
import * as promises from "node:fs/promises";
import { join, resolve } from "node:path";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { type Clock, systemClock } from "../../clock/index.ts";
import type { Store } from "../store.ts";
import { createDurableFiles, type DurableFiles, type FileSystem } from "./durable-files.ts";
import { isFolderLocked, lockFolder } from "./folder-lock.ts";
import { storeOverFiles } from "./store-over-files.ts";

export interface FileStoreOptions {
  /** Made when it is absent. */
  readonly directory: string;
  /** For expiry. @default the real one */
  readonly clock?: Clock;
  /** @default `node:fs/promises` */
  readonly fileSystem?: FileSystem;
}

/** Rejects with KN_UNAVAILABLE when the folder cannot be used, or another process uses it. */
export async function fileStore(options: FileStoreOptions): Promise<Store> {
  const { clock = systemClock(), fileSystem = promises } = options;
  const directory = resolve(options.directory);
  const files = createDurableFiles(fileSystem);
  await files.makeFolder(directory);
  const unlock = await lockFolder(fileSystem, directory);
  return storeOverFiles({ directory, description: `file:${directory}` }, { files, clock, onClose: unlock });
}

/**
 * What is on the disk now, for reading beside the process that has it open: files are replaced whole, so that each record
 * and blob is as some change left it. Records are read when their bucket is opened, blobs when they are asked for: one that
 * was deleted since is absent. Changes reject with KN_UNAVAILABLE, and nothing is made or tidied up.
 */
export async function readFileStore(options: FileStoreOptions): Promise<Store> {
  const { clock = systemClock(), fileSystem = promises } = options;
  const directory = resolve(options.directory);
  const description = `file:${directory}`;
  const refuse = (): Promise<never> =>
    Promise.reject(
      new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: `change ${description}`,
        rule: "it must be open for changes",
        value: "open for reading",
      }),
    );
  const files: DurableFiles = {
    ...createDurableFiles(fileSystem),
    makeFolder: () => Promise.resolve(),
    write: refuse,
    writeEnd: refuse,
    remove: refuse,
    removeFolder: refuse,
    sweep: () => Promise.resolve([]),
  };
  return storeOverFiles(
    { directory, description, isReadOnly: true },
    { files, clock, onClose: () => Promise.resolve() },
  );
}

/** Whether a process has the store in this folder open, or cannot be known to have ended. Changes nothing. */
export function isStoreInUse({ directory, fileSystem = promises }: FileStoreOptions): Promise<boolean> {
  return isFolderLocked(fileSystem, resolve(directory));
}

/** The file that a record is in, written anew by each change: a process that has the store closed can watch it. */
export function fileOfRecord(directory: string, bucket: string, key: string): string {
  return join(directory, "kv", bucket, key);
}
