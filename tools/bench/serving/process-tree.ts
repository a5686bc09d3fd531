/** Processes of Linux by `/proc`. */
import { readFile } from "node:fs/promises";

const PAGE_BYTES = 4_096;
/** Of the clock in /proc: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_SECONDS = 0.01;

/** Children of a process, their children, and so on; without itself. */
export async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text.split(" ").filter(Boolean).map(Number);
  const below = await Promise.all(children.map(descendants));
  return [...children, ...below.flat()];
}

/** Words of its command line; none once it has ended. */
export async function commandOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text.split("\0").filter(Boolean);
}

/** Resident memory; 0 once it has ended. */
export async function residentBytesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => "0 0");
  return Number(text.split(" ")[1] ?? 0) * PAGE_BYTES;
}

/** Processor time of all its threads so far; 0 once it has ended. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // After the name, which may have spaces: utime and stime are fields 14 and 15 of all.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_SECONDS;
}
