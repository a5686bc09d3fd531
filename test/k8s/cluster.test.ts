/** The dev overlay on a real cluster: applied, trained to its accuracy, broken, restarted, looked into. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { StatusSummary } from "../../src/apps/cli/commands/status.ts";
import { locateTool } from "../../src/apps/provision/index.ts";
import { apply, besideCluster, forward, kubectl, tryKubectl } from "../support/cluster/kubectl.ts";
import { containersOf, type Manifest, render, workloadsOf } from "../support/cluster/manifests.ts";
import { waitFor } from "../support/wait-for.ts";

const DEV = fileURLToPath(new URL("../../deploy/k8s/overlays/dev", import.meta.url));
const OPERATIONS = new URL("../../docs/operations.md", import.meta.url);
const NAMESPACE = "knowledgenet";
const CONFIG = "/etc/knowledgenet/node.yaml";
const LONG_MS = 300_000;

const kn = (...args: readonly string[]): Promise<string> => kubectl("-n", NAMESPACE, ...args);
/** `kn` inside a node's pod. */
const inPod = (pod: string, ...args: readonly string[]): Promise<string> =>
  kn("exec", pod, "-c", "node", "--", "node", "/app/bin/kn.js", ...args, "--bus", CONFIG);
const statusOf = async (run: string): Promise<StatusSummary> =>
  JSON.parse(await inPod(await anyPod(), "status", run, "--json")) as StatusSummary;

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly lastState: { readonly terminated?: { readonly reason: string; readonly message?: string } };
      readonly state: { readonly terminated?: { readonly message?: string } };
    }[];
  };
}

async function pods(selector: string): Promise<Pod[]> {
  return (JSON.parse(await kn("get", "pods", "-l", selector, "-o", "json")) as { items: Pod[] }).items;
}
function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}
async function anyPod(): Promise<string> {
  return await waitFor(
    async () => (await pods("knowledgenet/tier=block")).find(isReady)?.metadata.name,
    "a node that is ready",
    LONG_MS,
  );
}
/** Resolves when the run's newest checkpoint is that far. */
async function reach(run: string, step: number): Promise<StatusSummary> {
  return await waitFor(
    async () => {
      const status = await statusOf(run).catch(() => undefined);
      return status !== undefined && status.step >= step ? status : undefined;
    },
    `${run} at step ${step}`,
    LONG_MS,
  );
}
async function rolledOut(): Promise<void> {
  for (const workload of ["statefulset/nats", "statefulset/node", "deployment/worker"]) {
    await kn("rollout", "status", workload, "--timeout=240s");
  }
}
/** A Job like the overlay's own with another name and other arguments. */
async function beginRun(name: string, ...args: readonly string[]): Promise<void> {
  const job = (await render("dev")).find(({ kind }) => kind === "Job") as Manifest & {
    metadata: { name: string };
    spec: { template: { spec: { containers: { args: string[] }[] } } };
  };
  job.metadata.name = name;
  const [container] = job.spec.template.spec.containers;
  if (container !== undefined)
    container.args = [...container.args.filter((word) => !word.startsWith("--name")), `--name=${name}`, ...args];
  const { code, stderr } = await apply(JSON.stringify(job));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

beforeAll(async () => {
  await waitFor(async () => (await tryKubectl(["get", "--raw", "/readyz"])).code === 0, "the API server", LONG_MS);
  const { code, stderr } = await tryKubectl(["apply", "-k", DEV]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

afterAll(async () => {
  await tryKubectl(["delete", "namespace", NAMESPACE, "--wait=false"]);
});

it("`kubectl apply -k overlays/dev` brings up NATS, native and wasm nodes, and the Job trains to 97.5 %", async () => {
  await rolledOut();
  await kn("wait", "--for=condition=complete", "job/mnist", "--timeout=400s");
  const log = await kn("logs", "job/mnist");
  const accuracy = Number(/accuracy\D+(\d+\.\d+) %/.exec(log.split("\n").reverse().join("\n"))?.[1]);
  expect([log, accuracy >= 97.5]).toEqual([log, true]);
  const nodes = JSON.parse(await inPod("node-0", "nodes", "--json")) as { name: string; backend: string }[];
  const backends = nodes.map(({ name, backend }) => `${name.replace(/^worker-.*/, "worker")} ${backend}`).sort();
  expect(backends).toEqual(["node-0 native", "node-1 native", "node-2 native", "node-3 native", "worker wasm"]);
});

it("a second apply changes nothing", async () => {
  const { code, stdout } = await tryKubectl(["diff", "-k", DEV]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
});

it("a block's pod that is deleted in mid-run comes back on its volume and goes on; so does everything at a rolling restart", async () => {
  await beginRun(
    "long",
    "--set",
    "training.epochs=200",
    "--set",
    "data.limit=12800",
    "--set",
    "checkpoint.everySteps=50",
  );
  const before = await reach("long", 60);
  const owner = before.blocks.find(({ actor }) => actor === "block-1")?.node ?? "";
  const [old] = (await pods("knowledgenet/tier=block")).filter(({ metadata }) => metadata.name === owner);
  await kn("delete", "pod", owner, "--wait=false");
  await waitFor(
    async () =>
      (await pods("knowledgenet/tier=block")).some(
        (pod) => pod.metadata.name === owner && pod.metadata.uid !== old?.metadata.uid && isReady(pod),
      ),
    `${owner} is back`,
    LONG_MS,
  );
  const after = await reach("long", before.step + 100);
  // What it had on its volume: nothing it knew is lost, and it is where it was.
  expect(after.blocks.find(({ actor }) => actor === "block-1")?.node).toBe(owner);
  expect(await kn("logs", owner)).toContain("goes on from what was saved");

  for (const workload of ["statefulset/node", "deployment/worker", "statefulset/nats"])
    await kn("rollout", "restart", workload);
  await rolledOut();
  const restarted = await reach("long", after.step + 100);
  for (const { actor, published, applied, isBalanced } of restarted.blocks) {
    expect({ actor, isBalanced }).toEqual({ actor, isBalanced: true });
    // A checkpoint is written when a node is told to leave: at most what was under way is skipped, at five goodbyes.
    expect(published - applied).toBeLessThan(100);
  }
  await inPod(await anyPod(), "stop", "long");
});

it("stays within its memory, and nothing was restarted but what we restarted", async () => {
  const manifests = workloadsOf(await render("dev"));
  const limitOf = (workload: string): number => {
    const found = manifests.find(({ metadata }) => metadata.name === workload);
    const text = found === undefined ? "0" : (containersOf(found)[0]?.resources?.limits?.["memory"] ?? "0");
    return Number.parseFloat(text) * (text.endsWith("Gi") ? 2 ** 30 : 2 ** 20);
  };
  for (const pod of await pods("app.kubernetes.io/name=node")) {
    const { name } = pod.metadata;
    const metrics = await kubectl("get", "--raw", `/api/v1/namespaces/${NAMESPACE}/pods/${name}:8080/proxy/metrics`);
    const resident = Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]);
    expect(resident).toBeGreaterThan(0);
    expect(resident).toBeLessThan(limitOf(name.startsWith("node") ? "node" : "worker"));
  }
  for (const { metadata, status } of await pods("app.kubernetes.io/part-of=knowledgenet")) {
    for (const { restartCount, lastState } of status.containerStatuses ?? []) {
      expect([metadata.name, restartCount, lastState]).toEqual([metadata.name, 0, {}]);
    }
  }
});

it("the namespace refuses a pod with more rights", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "rights", namespace: NAMESPACE },
    spec: { containers: [{ name: "x", image: "x:1.0.0" }] },
  };
  const { code, stderr } = await apply(JSON.stringify(pod));
  expect(code).not.toBe(0);
  expect(stderr).toContain('violates PodSecurity "restricted');
});

it("every `nats` command of docs/operations.md shows what it should", async () => {
  const text = await readFile(OPERATIONS, "utf8");
  const commands = [...text.matchAll(/^(nats .+?)(?:\s+#.*)?$/gm)].map(([, command = ""]) => command);
  expect(commands.length).toBeGreaterThanOrEqual(10);
  await beginRun(
    "shown",
    "--set",
    "training.epochs=200",
    "--set",
    "data.limit=12800",
    "--set",
    "checkpoint.everySteps=20",
  );
  await reach("shown", 40);
  await using tunnel = await forward(NAMESPACE, "service/nats", 4222);
  const folder = await mkdtemp(join(tmpdir(), "kn-nats-"));
  const expected: Readonly<Record<string, readonly string[]>> = {
    "nats service list": ["kn-node", "kn-block", "kn-gradient", "kn-feeder"],
    "nats service info kn-block": ["block-", "activation"],
    "nats service stats kn-block": ["kn-block"],
    "nats sub": ["kn.v1.shown."],
    "nats kv ls": ["kn-nodes", "kn-runs", "kn-status", "kn-leases"],
    "nats kv get kn-status": ['"run":"shown"'],
    "nats kv get kn-runs": ['"run":"shown"'],
    "nats object ls": ["checkpoints-shown"],
    "nats stream report": ["KV_kn-runs", "OBJ_checkpoints-shown"],
    "nats consumer report": ["KV_kn-runs"],
  };
  try {
    for (const command of commands) {
      const words =
        command
          .replaceAll("RUN", "shown")
          .replaceAll("BACKUP", join(folder, "backup"))
          .match(/'[^']*'|\S+/g) ?? [];
      const args = words.slice(1).map((word) => word.replace(/^'|'$/g, ""));
      const server = `nats://knowledgenet:only-for-development@127.0.0.1:${tunnel.port}`;
      const output = await besideCluster(
        locateTool("nats", process.env) ?? "",
        ["--no-context", "--server", server, ...args],
        60_000,
      );
      const parts = Object.entries(expected)
        .filter(([prefix]) => command.startsWith(prefix))
        .flatMap(([, each]) => each);
      for (const part of parts) expect([command, output]).toEqual([command, expect.stringContaining(part)]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
    await inPod(await anyPod(), "stop", "shown");
  }
});
