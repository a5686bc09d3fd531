/** The pods of the loop on a cluster, of one site: gateway with an observer, updater, learner. */
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import {
  apiServer,
  describeFleet,
  kn as inFleet,
  LONG_MS,
  LOOK_MS,
  mustApply,
  NAMESPACE,
  pods,
  removeFleet,
} from "../support/cluster/dev-fleet.ts";
import { besideCluster, forward } from "../support/cluster/kubectl.ts";
import { type Manifest, parse, renderFolder } from "../support/cluster/manifests.ts";
import { KN, kn } from "../support/kn.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";
import { TINY } from "../unit/apps/cli/cli-scene.ts";

const DEPLOYMENTS = ["gateway", "replica", "learner", "updater"];
/** What trains is not needed. */
const LEFT_OUT = ["Job/mnist", "StatefulSet/node", "Deployment/worker"];

/** overlays/dev with the loop, one pod of each. */
async function loopOfOneSite(): Promise<Manifest[]> {
  await using folder = await temporaryFolder();
  const at = (path: string): string =>
    relative(folder.path, fileURLToPath(new URL(`../../deploy/k8s/${path}`, import.meta.url)));
  const text = `namespace: ${NAMESPACE}
resources: ["${at("overlays/dev")}", "${at("base/learner")}", "${at("base/updater")}"]
components: ["${at("components/observing")}"]
replicas: [{ name: gateway, count: 1 }, { name: replica, count: 1 }]
images: [{ name: knowledgenet, newTag: 0.1.0 }, { name: knowledgenet-wasm, newTag: 0.1.0 }]
labels: [{ pairs: { app.kubernetes.io/part-of: knowledgenet }, includeTemplates: true }]
`;
  await writeFile(join(folder.path, "kustomization.yaml"), text);
  const manifests = parse(await renderFolder(folder.path));
  return manifests.filter(({ kind, metadata }) => !LEFT_OUT.includes(`${kind}/${metadata.name}`));
}

/** A small net, published as oracle and as student. */
async function publishBoth(): Promise<void> {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "tiny.yaml"), TINY);
  expect(await kn(["run", "tiny.yaml", "--name", "tiny"], folder.path).ended).toMatchObject({ code: 0 });
  await using tunnel = await forward(NAMESPACE, "service/nats", 4222);
  const bus = `nats://knowledgenet:only-for-development@127.0.0.1:${tunnel.port}`;
  for (const model of ["follow-oracle", "digits"]) {
    const args = ["publish", "tiny", "--runs", join(folder.path, "runs"), "--model", model, "--promote", "--bus", bus];
    await besideCluster(process.execPath, [KN, ...args], 120_000);
  }
}

/** What the pod of a deployment answers. @returns status and text */
function ask(deployment: string, path: string): Promise<string> {
  const script = `fetch("http://127.0.0.1:8080${path}").then(async (answer) => process.stdout.write(answer.status + " " + (await answer.text())))`;
  return inFleet("exec", `deployment/${deployment}`, "--", "node", "-e", script);
}

beforeAll(async () => {
  await apiServer();
  await removeFleet();
  const manifests = await loopOfOneSite();
  const isNamespace = ({ kind }: Manifest): boolean => kind === "Namespace";
  await mustApply(JSON.stringify(manifests.find(isNamespace)));
  const items = manifests.filter((each) => !isNamespace(each));
  await mustApply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await describeFleet("none"));
});

afterAll(removeFleet);

it("waits for releases without a restart, and is ready when oracle and student are live", async () => {
  await inFleet("rollout", "status", "deployment/updater", "--timeout=240s");
  const waits = async (): Promise<boolean> =>
    (await ask("learner", "/readyz").catch(() => "")).startsWith("503 no release of digits is live yet");
  await waitFor(waits, "the learner to say what it waits for", LONG_MS, LOOK_MS);
  await publishBoth();
  for (const name of DEPLOYMENTS) await inFleet("rollout", "status", `deployment/${name}`, "--timeout=240s");
  expect(await ask("learner", "/metrics")).toMatch(/^kn_learner_window\{model="digits"\} 0$/m);
  expect(await ask("gateway", "/metrics")).toMatch(
    /^kn_observer_held_inputs\{model="digits",actor="observer-\d+"\} 0$/m,
  );
  // The learner's first full update has the weights that are live here.
  const isKnown = async (): Promise<boolean> =>
    /^kn_update_newest_number\{model="digits"\} 1$/m.test(await ask("updater", "/metrics"));
  await waitFor(isKnown, "the updater to know the learner's update", LONG_MS, LOOK_MS);
  for (const { metadata, status } of await pods("knowledgenet/model=digits")) {
    for (const { restartCount } of status.containerStatuses ?? [])
      expect([metadata.name, restartCount]).toEqual([metadata.name, 0]);
  }
});
