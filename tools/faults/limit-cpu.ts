/**
 * Makes a process as slow as a small machine: a share of one core, by the kernel's own accounting (cgroup v1 or v2),
 * for measurements and tests.
 */
import { access, mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { KnowledgeNetError } from "../../src/errors/index.ts";

/** Length of an accounting period, µs: short, so that a slowed step is slow throughout. */
const PERIOD_US = 20_000;
const V1 = "/sys/fs/cgroup/cpu";
const V2 = "/sys/fs/cgroup";

export interface CpuLimit extends AsyncDisposable {
  /** @param share cores, 0.1 for a tenth of one */
  set(share: number): Promise<void>;
  /** Takes a process in, with all its threads. */
  add(pid: number): Promise<void>;
}

let made = 0;

/** Rejects with KN_UNAVAILABLE where this process may not limit others. */
export async function createCpuLimit(name: string, share: number): Promise<CpuLimit> {
  const isV1 = await access(join(V1, "cpu.cfs_quota_us")).then(
    () => true,
    () =>
      access(join(V1, "cgroup.procs")).then(
        () => true,
        () => false,
      ),
  );
  const folder = join(isV1 ? V1 : V2, `knowledgenet-${name}-${process.pid}-${made}`);
  made += 1;
  const set = async (cores: number): Promise<void> => {
    const quotaUs = Math.max(1_000, Math.round(cores * PERIOD_US));
    if (isV1) {
      await writeFile(join(folder, "cpu.cfs_period_us"), String(PERIOD_US));
      await writeFile(join(folder, "cpu.cfs_quota_us"), String(quotaUs));
    } else {
      await writeFile(join(folder, "cpu.max"), `${quotaUs} ${PERIOD_US}`);
    }
  };
  try {
    await mkdir(folder);
    await set(share);
  } catch (error) {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "limit a process to a share of a core",
      rule: "cgroups must be writable",
      value: error instanceof Error ? error.message : String(error),
      remedy: "run as root on Linux",
      cause: error,
    });
  }
  return {
    set,
    add: (pid) => writeFile(join(folder, "cgroup.procs"), String(pid)),
    async [Symbol.asyncDispose]() {
      await rmdir(folder).catch(() => undefined); // still in use: it goes with the machine
    },
  };
}
