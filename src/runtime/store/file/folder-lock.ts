/**
 * One process at a time in a folder: a lock file that names its owner. A lock left by a process that has ended is taken
 * over; where that cannot be known (another machine or container on a shared disk) it is not.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { isKnowledgeNetError, KnowledgeNetError } from "../../../errors/index.ts";
import { uniqueId } from "../../unique-id.ts";
import { codeOf, type FileSystem, translate } from "./durable-files.ts";

const LOCK_NAME = "lock";

const ownerSchema = z.object({
  pid: z.int().min(1),
  host: z.string(),
  /** When the process started, in the kernel's ticks: distinguishes it from a later process of the same number. */
  startedTicks: z.string().optional(),
  token: z.string(),
});
type Owner = z.infer<typeof ownerSchema>;

/** Tokens of locks that this process holds: a lock with its pid but another token is of an earlier process. */
const held = new Set<string>();

/** A claim on a claim: each further one needs another crash in the middle of taking over. */
const MAX_CLAIMS = 3;
/** Attempts at a lock that others acquire and release at the same moment. */
const MAX_ROUNDS = 5;

/** @returns the function that releases the lock. Rejects with KN_UNAVAILABLE while another owner may be alive. */
export async function lockFolder(fileSystem: FileSystem, folder: string): Promise<() => Promise<void>> {
  const path = join(folder, LOCK_NAME);
  const startedTicks = startOf(process.pid);
  const own: Owner = {
    pid: process.pid,
    host: hostname(),
    token: uniqueId(),
    ...(startedTicks === undefined ? {} : { startedTicks }),
  };
  const prepared = `${path}.${own.token}`;
  held.add(own.token);
  try {
    await writeWhole(fileSystem, prepared, JSON.stringify(own));
    await acquire({ fileSystem, folder, prepared }, path, 0);
  } catch (error) {
    held.delete(own.token);
    throw translate(error, `lock ${folder}`);
  } finally {
    await fileSystem.rm(prepared, { force: true }).catch(() => undefined);
  }
  return async () => {
    await fileSystem.rm(path, { force: true });
    held.delete(own.token);
  };
}

interface Taking {
  readonly fileSystem: FileSystem;
  readonly folder: string;
  /** A whole file that names this process: it gets the lock's name in one step, so that no reader sees half of one. */
  readonly prepared: string;
}

/**
 * Gives the prepared file the name `path`. A stale lock is replaced only under a lock of its own, named after its content:
 * of many processes that find it one replaces it, and a process that read it too early finds other content and retries.
 */
async function acquire(taking: Taking, path: string, claims: number): Promise<void> {
  const { fileSystem, folder, prepared } = taking;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (await linkNew(fileSystem, prepared, path)) return;
    const stale = await readText(fileSystem, path);
    if (stale === undefined) continue; // released just now
    const owner = parse(stale);
    if (owner === undefined || mayBeAlive(owner) || claims === MAX_CLAIMS) throw inUse(folder, path, owner);

    const claim = `${path}-${createHash("sha256").update(stale).digest("hex").slice(0, 16)}`;
    await acquire(taking, claim, claims + 1);
    try {
      if ((await readText(fileSystem, path)) !== stale) continue;
      const replacement = `${prepared}-${claims}`;
      await fileSystem.link(prepared, replacement);
      await fileSystem.rename(replacement, path);
      return;
    } finally {
      await fileSystem.rm(claim, { force: true });
    }
  }
  throw inUse(folder, path, undefined);
}

async function writeWhole(fileSystem: FileSystem, path: string, text: string): Promise<void> {
  const file = await fileSystem.open(path, "wx");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function linkNew(fileSystem: FileSystem, existing: string, path: string): Promise<boolean> {
  try {
    await fileSystem.link(existing, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function readText(fileSystem: FileSystem, path: string): Promise<string | undefined> {
  try {
    return await fileSystem.readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text: string): Owner | undefined {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function mayBeAlive(owner: Owner): boolean {
  if (held.has(owner.token)) return true;
  if (owner.host !== hostname()) return true;
  if (owner.pid === process.pid) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
  }
  const startedTicks = startOf(owner.pid);
  return startedTicks === undefined || owner.startedTicks === undefined || startedTicks === owner.startedTicks;
}

/** Field 22 of /proc/<pid>/stat; undefined where there is no /proc. The name in field 2 may hold spaces. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** Whether a process has it open, or had it when it was cut off and cannot be known to have ended. Changes nothing. */
export async function isFolderLocked(fileSystem: Pick<FileSystem, "readFile">, folder: string): Promise<boolean> {
  try {
    const owner = parse(await fileSystem.readFile(join(folder, LOCK_NAME), "utf8"));
    return owner === undefined || mayBeAlive(owner);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw translate(error, `look at the lock of ${folder}`);
  }
}

const ONE_AT_A_TIME = "one process at a time may use it";

/** Whether a store could not be opened because another process has it open: for a caller that waits. */
export function isFolderInUse(error: unknown): boolean {
  return isKnowledgeNetError(error, "KN_UNAVAILABLE") && error.rule === ONE_AT_A_TIME;
}

function inUse(folder: string, path: string, owner: Owner | undefined): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `open the store in ${folder}`,
    rule: ONE_AT_A_TIME,
    value: owner === undefined ? "held by an unknown process" : `held by process ${owner.pid} on ${owner.host}`,
    remedy: `stop that process; if it has certainly ended, delete ${path}`,
  });
}
