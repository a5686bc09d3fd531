/**
 * One setup at a time per cache. The lock is a file made with `O_EXCL`; its holder touches it while it works, so a lock
 * whose holder is dead, or that was not touched for a minute, is taken over.
 */
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import type { Host } from "./host.ts";
import type { Step } from "./progress.ts";
import { unavailable } from "./unavailable.ts";

export interface SetupLockOptions {
  /** Time limit of the wait for another holder, ms. @default 1_200_000, a cold setup on a slow line */
  readonly waitMs?: number;
  /** A lock untouched for this long is stale, ms. @default 60_000 */
  readonly staleMs?: number;
  /** Interval at which a held lock is touched and a foreign one is checked, ms. @default 1_000 */
  readonly pollMs?: number;
}

/**
 * Runs `work` while holding the lock at `path`.
 * @throws KnowledgeNetError KN_UNAVAILABLE when another holder keeps it for longer than `waitMs`
 */
export async function withSetupLock<T>(
  path: string,
  host: Host,
  work: () => Promise<T>,
  options: SetupLockOptions = {},
): Promise<T> {
  const limits = { waitMs: 1_200_000, staleMs: 60_000, pollMs: 1_000, ...options };
  await mkdir(dirname(path), { recursive: true });
  const mark = `${host.pid} ${host.name} ${performance.now()}`;
  await acquire(path, mark, host, limits);
  const heartbeat = setInterval(() => void touch(path), limits.pollMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    // Only our own lock: after a suspension another process may have found it stale and taken it over.
    if ((await read(path)) === mark) await rm(path, { force: true });
  }
}

async function acquire(path: string, mark: string, host: Host, limits: Required<SetupLockOptions>): Promise<void> {
  const deadlineMs = performance.now() + limits.waitMs;
  let step: Step | undefined;
  while (!(await tryCreate(path, mark))) {
    const holder = await read(path);
    if (
      holder !== undefined &&
      (await isStale(path, holder, host, limits.staleMs)) &&
      (await evict(path, holder, host))
    ) {
      continue;
    }
    if (performance.now() > deadlineMs) {
      step?.end("gave up");
      throw unavailable("run setup", "another setup must end first", {
        value: `lock held by process ${holder ?? "unknown"}`,
        remedy: `wait for it, or remove ${path}`,
      });
    }
    step ??= host.progress.step(`waiting for another setup (process ${holder?.split(" ")[0] ?? "unknown"})`);
    await wait(limits.pollMs);
  }
  step?.end("it ended");
}

async function tryCreate(path: string, mark: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(mark);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string, holder: string, host: Host, staleMs: number): Promise<boolean> {
  const [pid, name] = holder.split(" ");
  if (name === host.name && pid !== undefined && !isAlive(Number(pid))) return true;
  const ageMs = await stat(path).then(
    (found) => Date.now() - found.mtimeMs,
    () => 0,
  );
  return ageMs > staleMs;
}

/**
 * Removes a stale lock. Two processes may try: one that has moved a fresh lock puts it back.
 * @returns false when it cannot be moved
 */
async function evict(path: string, holder: string, host: Host): Promise<boolean> {
  const aside = `${path}.${host.pid}`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return false;
  if ((await read(aside)) !== holder) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
  return true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}
