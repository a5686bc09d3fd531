/** The table of docs/results/kubernetes: printed by the suite, and written where KN_RESULTS names a folder. */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { containersOf, type Manifest } from "./manifests.ts";
import { memoryLimitMiB, type Use } from "./use.ts";

export interface Results {
  /** Of the Job's run on the test set, %. */
  readonly accuracy: number;
  readonly use: ReadonlyMap<string, Use>;
  readonly workloads: readonly Manifest[];
  /** What took how long, s. */
  readonly seconds: Readonly<Record<string, number>>;
}

export async function tellResults(results: Results): Promise<void> {
  const text = format(results);
  console.log(text);
  const folder = process.env["KN_RESULTS"];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "README.md"), text);
}

function format({ accuracy, use, workloads, seconds }: Results): string {
  const images = inject("imageBytes");
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, shared by the whole cluster`;
  return `# overlays/dev on a one-node Kubernetes

\`KN_RESULTS=docs/results/kubernetes npm run test:k8s\` measured it: ${machine}; images were on the node already. The Job's run reached ${accuracy.toFixed(2)} % of the test set.

${table(
  ["image", "MiB, unpacked"],
  Object.entries(images).map(([name, bytes]) => [name, (bytes / 2 ** 20).toFixed(0)]),
)}

${table(
  ["what", "s"],
  Object.entries(seconds).map(([what, value]) => [what, value.toFixed(1)]),
)}

While the Job's run goes on, of one pod; cores are a mean, memory is the highest working set:

${table(
  ["workload", "cores", "requested", "MiB", "requested", "limit MiB"],
  workloads.map((workload) => {
    const { cpu = "", memory = "" } = containersOf(workload)[0]?.resources?.requests ?? {};
    const { cores = Number.NaN, workingSetMiB = Number.NaN } = use.get(workload.metadata.name) ?? {};
    return [
      workload.metadata.name,
      cores.toFixed(2),
      cpu,
      workingSetMiB.toFixed(0),
      memory,
      String(memoryLimitMiB(workload)),
    ];
  }),
)}
`;
}

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((word, column) => Math.max(word.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((word, column) => word.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n");
}
