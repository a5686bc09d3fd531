/** The Kubernetes that the k8s suite runs on: one of our own in private namespaces, started for the suite and gone with it. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { clusterFolder } from "../../../scripts/setup-suites.js";
import { cacheRoot } from "../../../setup/index.ts";
import type { Engine } from "../containers/engine.ts";
import { cleanupOnExit } from "../cleanup-on-exit.ts";
import { waitFor } from "../wait-for.ts";

const run = promisify(execFile);
const MACHINE = fileURLToPath(new URL("../../tools/cluster/machine.sh", import.meta.url));
const START_MS = 180_000;

/** Program and arguments before those of kubectl. */
export type Kubectl = readonly [program: string, ...args: string[]];

export interface Cluster extends AsyncDisposable {
  readonly kubectl: Kubectl;
  /** Process 1 of its namespaces. */
  readonly machinePid: number;
}

/** Programs that the suite has built. */
export function toolsFolder(): string {
  const tools = clusterFolder(cacheRoot(process.env));
  if (existsSync(tools)) return tools;
  throw new Error("the cluster's programs are not built: npm run setup -- --system --suites");
}

/** @param images by the name that the manifests give them */
export async function startCluster(engine: Engine, images: Readonly<Record<string, string>>): Promise<Cluster> {
  const tools = toolsFolder();
  const folder = await mkdtemp(join(tmpdir(), "kn-cluster-"));
  await mkdir(join(folder, "images"));
  for (const [name, tag] of Object.entries(images)) {
    const full = `docker.io/library/${name}`;
    await engine.call("tag", tag, full);
    await engine.call("save", "-o", join(folder, "images", `${name.replace(/[:/]/g, "_")}.tar`), full);
    // That name alone: the image has another.
    await engine.call("rmi", full);
  }
  const said = await open(join(folder, "machine.log"), "w");
  const cgroup = folder.split("/").at(-1) ?? "kn-cluster";
  const namespaces = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"];
  const machine = spawn("unshare", [...namespaces, "bash", MACHINE, folder, tools, cgroup], {
    stdio: ["ignore", said.fd, said.fd],
    detached: true,
  });
  await said.close();
  machine.unref();
  let ended: string | undefined;
  machine.once("exit", (code) => {
    ended = `the cluster's machine ended with ${code}`;
  });
  const sweep = [
    `pkill -KILL -f '[-]-kubeconfig=${folder}/'`, // whoever waits for an answer; in brackets, since this line is not meant
    `pkill -KILL -P ${machine.pid}`,
    `while kill -0 ${machine.pid} 2>/dev/null; do sleep 0.1; done`,
    `for i in 1 2 3 4 5; do find /sys/fs/cgroup -depth -type d -path '*/${cgroup}*' -exec rmdir {} + 2>/dev/null; sleep 0.2; done`,
    `rm -rf '${folder}'`,
  ].join("; ");
  const sweeper = cleanupOnExit(sweep);
  const dispose = (): Promise<void> => sweeper[Symbol.asyncDispose]();
  try {
    await waitFor(
      () => {
        if (ended !== undefined) throw new Error(ended);
        return existsSync(join(folder, "READY"));
      },
      "the cluster",
      START_MS,
    );
    const { stdout } = await run("pgrep", ["-P", String(machine.pid)]);
    const pid = Number(stdout.trim().split("\n")[0]);
    return {
      kubectl: [
        "nsenter",
        "-t",
        String(pid),
        "-n",
        join(tools, "kube"),
        "kubectl",
        `--kubeconfig=${join(folder, "admin.conf")}`,
      ],
      machinePid: pid,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    const logs = await Promise.all(
      ["machine.log", "log/apiserver.log", "log/kubelet.log", "log/containerd.log"].map((name) =>
        readFile(join(folder, name), "utf8").catch(() => ""),
      ),
    );
    await dispose();
    throw new Error(`the cluster did not start: ${logs.map((log) => log.slice(-800)).join("\n")}`, { cause: error });
  }
}
