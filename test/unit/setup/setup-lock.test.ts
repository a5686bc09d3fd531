import { existsSync } from "node:fs";
import { readFile, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { spawnExec } from "../../../setup/exec.ts";
import { withSetupLock } from "../../../setup/setup-lock.ts";
import { fakeHost, temporaryFolder } from "./fake-host.ts";

const host = fakeHost({});
const quick = { pollMs: 1 };

/** The id of a process that has ended. */
async function deadProcess(): Promise<string> {
  return (await spawnExec(process.execPath, ["-e", "process.stdout.write(String(process.pid))"])).stdout;
}

describe("withSetupLock", () => {
  it("lets one work at a time", async () => {
    await using folder = await temporaryFolder();
    let working = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++working);
      await readFile(new URL(import.meta.url)); // gives the others a turn
      working--;
    };
    await Promise.all([1, 2, 3, 4].map(() => withSetupLock(join(folder.path, "lock"), host, work, quick)));
    expect(most).toBe(1);
  });

  it("frees the lock when the work throws", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "lock");
    await expect(withSetupLock(path, host, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(existsSync(path)).toBe(false);
  });

  it("takes over from a process that has died", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "lock");
    await writeFile(path, `${await deadProcess()} ${hostname()} 0`);
    expect(await withSetupLock(path, host, () => Promise.resolve("done"), { ...quick, waitMs: 0 })).toBe("done");
  });

  it("takes over a lock of another machine that nobody has touched for long", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "lock");
    await writeFile(path, "1 elsewhere 0");
    const longAgo = new Date(0);
    await utimes(path, longAgo, longAgo);
    expect(await withSetupLock(path, host, () => Promise.resolve("done"), { ...quick, waitMs: 0 })).toBe("done");
  });

  it("gives up on a holder that works on", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "lock");
    await writeFile(path, `${process.pid} ${hostname()} 0`);
    await expect(
      withSetupLock(path, host, () => Promise.resolve("done"), { ...quick, waitMs: 0 }),
    ).rejects.toMatchObject({
      code: "KN_UNAVAILABLE",
    });
    expect(existsSync(path)).toBe(true);
  });
});
