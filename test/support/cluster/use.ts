/** What containers use of processor and memory, as the kubelet sees it, while something goes on. */
import { kubectl } from "./kubectl.ts";
import { containersOf, type Manifest } from "./manifests.ts";

/** Between two looks, ms: each takes of the processor that it looks at. */
const LOOK_MS = 5_000;
const MIB = 2 ** 20;

interface Summary {
  readonly pods?: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string };
    readonly containers?: readonly {
      readonly cpu?: { readonly usageNanoCores?: number };
      readonly memory?: { readonly workingSetBytes?: number };
    }[];
  }[];
}

export interface Use {
  /** Mean over the looks, cores. */
  readonly cores: number;
  /** Highest seen of any pod: what cannot be given back. */
  readonly workingSetMiB: number;
}

/** Looks until `stop`. @returns the use of one pod of each workload, by the workload's name */
export function watchUse(namespace: string): { stop(): Promise<ReadonlyMap<string, Use>> } {
  const stopping = new AbortController();
  const seen = new Map<string, { cores: number[]; workingSetMiB: number }>();
  const look = async (names: readonly string[]): Promise<void> => {
    for (const name of names) {
      const path = `/api/v1/nodes/${name.replace(/^node\//, "")}/proxy/stats/summary`;
      const { pods = [] } = JSON.parse(await kubectl("get", "--raw", path)) as Summary;
      for (const { podRef, containers = [] } of pods) {
        const [container] = containers;
        if (podRef.namespace !== namespace || container?.memory?.workingSetBytes === undefined) continue;
        const workload = workloadOf(podRef.name);
        const use = seen.get(workload) ?? { cores: [], workingSetMiB: 0 };
        if (container.cpu?.usageNanoCores !== undefined) use.cores.push(container.cpu.usageNanoCores / 1e9);
        use.workingSetMiB = Math.max(use.workingSetMiB, container.memory.workingSetBytes / MIB);
        seen.set(workload, use);
      }
    }
  };
  const looking = (async () => {
    const names = (await kubectl("get", "nodes", "-o", "name")).trim().split("\n");
    while (!stopping.signal.aborted) {
      await look(names);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  })();
  looking.catch(() => undefined);
  return {
    async stop() {
      stopping.abort();
      await looking;
      return new Map(
        [...seen].map(([workload, { cores, workingSetMiB }]) => [
          workload,
          { cores: cores.reduce((sum, each) => sum + each, 0) / Math.max(1, cores.length), workingSetMiB },
        ]),
      );
    },
  };
}

/** Pods are named after what made them: `node-0`, `worker-7d9c-x2k4`, `mnist-8fk2x`. */
function workloadOf(pod: string): string {
  return pod.split("-")[0] ?? pod;
}

/** The memory that a workload's first container may have, MiB. */
export function memoryLimitMiB(workload: Manifest): number {
  const text = containersOf(workload)[0]?.resources?.limits?.["memory"] ?? "";
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(text) ?? [];
  if (count === undefined) throw new Error(`${workload.metadata.name} has the memory limit "${text}"`);
  return Number(count) * (unit === "Gi" ? 1024 : 1);
}
