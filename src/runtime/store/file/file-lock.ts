/** One process at a time: a file that names its owner. One left behind by a dead process is taken over. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { codeOf, translate } from "./durable-file.ts";

/** @returns what lets the lock go. Rejects with KN_UNAVAILABLE while another living process holds it. */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return async () => {
        await rm(path, { force: true });
      };
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw translate(error, `lock ${path}`);
    }
    const owner = Number(await readFile(path, "utf8").catch(() => ""));
    if (attempt > 3 || (owner > 0 && isAlive(owner))) {
      throw new KnowledgeNetError("KN_UNAVAILABLE", {
        attempt: `open the store of ${path}`,
        rule: "one process at a time may use it",
        value: `held by process ${owner}`,
        remedy: "wait until that process has ended, or stop it",
      });
    }
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
