/** The fleet of overlays/dev as a test sees it through kubectl: pods, figures, runs. */
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { StatusSummary } from "../../../src/apps/cli/commands/status.ts";
import { waitFor } from "../wait-for.ts";
import { locateTool } from "../../../setup/index.ts";
import { apply, besideCluster, type Forward, kubectl, tryKubectl } from "./kubectl.ts";
import { render } from "./manifests.ts";

/** Folder of the overlay. */
export const DEV = fileURLToPath(new URL("../../../deploy/k8s/overlays/dev", import.meta.url));
export const NAMESPACE = "knowledgenet";
/** Bound of whatever a pod takes. */
export const LONG_MS = 300_000;
/** Between two looks at the cluster, ms: each starts a process. */
export const LOOK_MS = 1_000;
const NODES = "knowledgenet/tier=block";
const CONFIG = "/etc/knowledgenet/node.yaml";

/** kubectl in the fleet's namespace. */
export const kn = (...args: readonly string[]): Promise<string> => kubectl("-n", NAMESPACE, ...args);
/** The command `kn` inside a node's pod. */
export const inPod = (pod: string, ...args: readonly string[]): Promise<string> =>
  kn("exec", pod, "-c", "node", "--", "node", "/app/bin/kn.js", ...args, "--bus", CONFIG);
/** What the pod tells Prometheus. */
export const metricsOf = (pod: string): Promise<string> => askNode(pod, "/metrics");
/** Status and reasons. */
export const readinessOf = (pod: string): Promise<string> => askNode(pod, "/readyz");

/** @returns status and text. From inside, since the network's rules may keep us out. */
function askNode(pod: string, path: string): Promise<string> {
  const script = `fetch("http://127.0.0.1:8080${path}").then(async (answer) => process.stdout.write(answer.status + " " + (await answer.text())))`;
  return kn("exec", pod, "-c", "node", "--", "node", "-e", script);
}

interface Ending {
  readonly reason: string;
  readonly message?: string;
}
export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly lastState: { readonly terminated?: Ending };
      readonly state: { readonly terminated?: Ending };
    }[];
  };
}

export async function pods(selector: string): Promise<Pod[]> {
  return (JSON.parse(await kn("get", "pods", "-l", selector, "-o", "json")) as { items: Pod[] }).items;
}

export function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}

/** A native node that is ready. */
export async function anyNode(): Promise<string> {
  return await waitFor(
    async () => (await pods(NODES)).find(isReady)?.metadata.name,
    "a node that is ready",
    LONG_MS,
    LOOK_MS,
  );
}

/** The pod of that name, once it is ready and another than `before`. */
export async function comesBack(name: string, before: Pod | undefined): Promise<Pod> {
  return await waitFor(
    async () =>
      (await pods(NODES)).find(
        (pod) => pod.metadata.name === name && pod.metadata.uid !== before?.metadata.uid && isReady(pod),
      ),
    `${name} is back`,
    LONG_MS,
    LOOK_MS,
  );
}

/** Where the fleet stands, for whoever reads why a test has failed: the cluster is gone by then. */
export async function describeFleet(run: string): Promise<string> {
  const answers = await Promise.all(
    [
      ["get", "pods", "-o", "wide"],
      ["logs", "-l", "app.kubernetes.io/part-of=knowledgenet", "--prefix", "--tail=25", "--max-log-requests=20"],
    ].map((args) => tryKubectl(["-n", NAMESPACE, ...args])),
  );
  const status = await statusOf(run).then(
    (found) => JSON.stringify(found),
    (error: unknown) => String(error),
  );
  return [status, ...answers.map(({ stdout, stderr }) => stdout + stderr)].join("\n");
}

async function statusOf(run: string): Promise<StatusSummary> {
  return JSON.parse(await inPod(await anyNode(), "status", run, "--json")) as StatusSummary;
}

/** Resolves when the run is that far. */
export async function reach(run: string, step: number): Promise<StatusSummary> {
  return await waitFor(
    async () => {
      const status = await statusOf(run).catch(() => undefined);
      return status !== undefined && status.step >= step ? status : undefined;
    },
    `${run} at step ${step}`,
    LONG_MS,
    2 * LOOK_MS,
  );
}

/** Resolves when everything runs as it is wanted. */
export async function rolledOut(): Promise<void> {
  for (const workload of ["statefulset/nats", "statefulset/node", "deployment/worker"]) {
    await kn("rollout", "status", workload, "--timeout=240s");
  }
}

/** A Job like the overlay's own, with another name and more arguments, that publishes nothing. */
export async function beginRun(name: string, ...args: readonly string[]): Promise<void> {
  const job = (await render("dev")).find(({ kind }) => kind === "Job");
  if (job?.spec?.template === undefined) throw new Error("overlays/dev has no Job");
  const { template } = job.spec;
  const { initContainers: [run] = [], ...pod } = template.spec;
  const kept = (run?.args ?? []).filter((word) => !word.startsWith("--name"));
  const containers = [{ ...run, args: [...kept, `--name=${name}`, ...args] }];
  const spec = { ...job.spec, template: { ...template, spec: { ...pod, containers } } };
  await mustApply(JSON.stringify({ ...job, metadata: { ...job.metadata, name }, spec }));
}

/** Ends a run that would go on, and its Job. */
export async function endRun(name: string): Promise<void> {
  await inPod(await anyNode(), "stop", name);
  await kn("wait", "--for=condition=complete", `job/${name}`, "--timeout=120s");
}

export async function mustApply(text: string): Promise<void> {
  const { code, stderr } = await apply(text);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

/** The public `nats` command on the fleet's server, through a forward of its port. */
export async function natsCli(tunnel: Forward, ...args: readonly string[]): Promise<string> {
  const server = `nats://knowledgenet:only-for-development@127.0.0.1:${tunnel.port}`;
  const program = locateTool("nats", process.env) ?? "";
  return await besideCluster(program, ["--no-context", "--server", server, ...args], 60_000);
}

/** Resolves when the API server answers. */
export async function apiServer(): Promise<void> {
  await waitFor(async () => (await tryKubectl(["get", "--raw", "/readyz"])).code === 0, "the API server", LONG_MS);
}

/**
 * Nothing of the fleet is left, for whoever comes next. What runs goes first and at once: a namespace with pods in it is
 * looked at again only after half their grace period.
 */
export async function removeFleet(): Promise<void> {
  await tryKubectl(["-n", NAMESPACE, "delete", "statefulset,deployment,job", "--all", "--wait=false"]);
  await tryKubectl(["-n", NAMESPACE, "delete", "pod", "--all", "--grace-period=1", "--timeout=60s"]);
  await tryKubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s"]);
}
