/** What is wrong shows where one looks for it: in `kubectl describe`, in the log, in the readiness of the pod. */
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  anyNode,
  apiServer,
  beginRun,
  endRun,
  isReady,
  kn,
  LONG_MS,
  LOOK_MS,
  mustApply,
  NAMESPACE,
  natsCli,
  type Pod,
  pods,
  reach,
  readinessOf,
  removeFleet,
} from "../support/cluster/dev-fleet.ts";
import { forward } from "../support/cluster/kubectl.ts";
import { type Manifest, type PodSpec, render } from "../support/cluster/manifests.ts";
import { waitFor } from "../support/wait-for.ts";

type Volume = NonNullable<PodSpec["volumes"]>[number];
type Change = (volumes: Record<string, object>, mounts: Record<string, object>) => void;

/** A pod like a worker's, with some of its volumes changed; by its name also a label of the node. */
async function podLike(name: string, change: Change): Promise<object> {
  const worker = (await render("dev")).find(({ metadata }) => metadata.name === "worker")?.spec?.template;
  if (worker === undefined) throw new Error("overlays/dev has no worker");
  const [container] = worker.spec.containers;
  const byName = (entries: readonly { readonly name: string }[] = []): Record<string, object> =>
    Object.fromEntries(entries.map((each) => [each.name, { ...each }]));
  const volumes = byName(worker.spec.volumes);
  const mounts = byName(container?.volumeMounts);
  change(volumes, mounts);
  const args = (container?.args ?? []).map((word) => word.replace("tier=worker", `tier=${name}`));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, labels: { ...worker.metadata.labels, "knowledgenet/tier": name } },
    spec: {
      ...worker.spec,
      volumes: Object.values(volumes),
      // It only has to say what is wrong: there is room for it on a small machine.
      containers: [
        { ...container, args, resources: { requests: { cpu: "10m" } }, volumeMounts: Object.values(mounts) },
      ],
    },
  };
}

const secretNamed =
  (secretName: string): Change =>
  (volumes) => {
    const { secret } = volumes["secret"] as Volume;
    volumes["secret"] = { name: "secret", secret: { ...secret, secretName } };
  };
const configNamed =
  (name: string): Change =>
  (volumes) => {
    volumes["config"] = { name: "config", configMap: { name } };
  };
const inMemory =
  (sizeLimit: string): Change =>
  (volumes) => {
    volumes["state"] = { name: "state", emptyDir: { medium: "Memory", sizeLimit } };
  };

/** A server without JetStream, and what a node needs to look for it. */
async function serverWithoutJetStream(): Promise<object[]> {
  const manifests = await render("dev");
  const nats = manifests.find(({ kind, metadata }) => kind === "StatefulSet" && metadata.name === "nats")?.spec
    ?.template;
  const [container] = nats?.spec.containers ?? [];
  const { securityContext, image } = container ?? {};
  const labels = { "app.kubernetes.io/name": "nats", "knowledgenet/server": "plain" };
  return [
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "plain", namespace: NAMESPACE, labels },
      spec: {
        automountServiceAccountToken: false,
        securityContext: nats?.spec.securityContext,
        containers: [{ name: "nats", image, args: ["-p", "4222"], securityContext }],
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "plain", namespace: NAMESPACE },
      spec: { selector: { "knowledgenet/server": "plain" }, ports: [{ port: 4222 }] },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "plain", namespace: NAMESPACE },
      data: {
        "node.yaml":
          'bus: { servers: ["nats://plain:4222"] }\nstate: /var/lib/knowledgenet\nhttp: 0.0.0.0:8080\nlog: stdout\n',
      },
    },
  ];
}

const podNamed = async (name: string): Promise<Pod | undefined> =>
  (await pods(`knowledgenet/tier=${name}`)).find(({ metadata }) => metadata.name === name);

/** Why the pod's container ended, as `kubectl describe` tells it. */
async function lastWords(name: string): Promise<string> {
  await waitFor(
    async () =>
      (await podNamed(name))?.status.containerStatuses?.some(
        ({ state, lastState }) => (state.terminated ?? lastState.terminated) !== undefined,
      ),
    `${name} has ended`,
    LONG_MS,
    LOOK_MS,
  );
  return await kn("describe", "pod", name);
}

beforeAll(async () => {
  await apiServer();
  await removeFleet();
  const isOfServing = ({ metadata: { labels = {} } }: Manifest): boolean => "knowledgenet/model" in labels;
  const fleet = (await render("dev")).filter((each) => each.kind !== "Job" && !isOfServing(each));
  const [namespace, ...others] = [
    ...fleet.filter(({ kind }) => kind === "Namespace"),
    ...fleet.filter(({ kind }) => kind !== "Namespace"),
  ];
  await mustApply(JSON.stringify(namespace));
  const smaller = others.map((each) =>
    each.kind === "StatefulSet" && each.metadata.name === "node"
      ? { ...each, spec: { ...each.spec, replicas: 1 } }
      : each,
  );
  const wrongSecret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "wrong", namespace: NAMESPACE },
    stringData: { password: "guessed" },
  };
  const items = [
    ...smaller,
    wrongSecret,
    ...(await serverWithoutJetStream()),
    await podLike("no-secret", secretNamed("absent")),
    await podLike("wrong-secret", secretNamed("wrong")),
    await podLike("no-jetstream", configNamed("plain")),
    await podLike("read-only", (_, mounts) => {
      mounts["state"] = { ...mounts["state"], readOnly: true };
    }),
    await podLike("filling", inMemory("512Ki")),
  ];
  await mustApply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
});

afterAll(removeFleet);

it("a Secret that is missing: the pod waits, and says for which", async () => {
  await waitFor(
    async () => (await kn("describe", "pod", "no-secret")).includes('secret "absent" not found'),
    "the reason",
    LONG_MS,
    LOOK_MS,
  );
});

it("wrong credentials: the last words name the rule and the server", async () => {
  expect(await lastWords("wrong-secret")).toMatch(
    /KN_CONFIG.*nats:\/\/nats:4222.*the server must accept the credentials/s,
  );
});

it("a NATS without JetStream: alive, not ready, and the log says what is missing", async () => {
  await waitFor(
    async () => (await kn("logs", "no-jetstream")).includes("JetStream"),
    "the reason in the log",
    LONG_MS,
    LOOK_MS,
  );
  expect(await kn("logs", "no-jetstream")).toMatch(/waiting: KN_UNAVAILABLE: .*nats:\/\/plain:4222.*JetStream/);
  expect(await readinessOf("no-jetstream")).toMatch(/^503 .*JetStream/s);
  const pod = await podNamed("no-jetstream");
  expect(pod?.status.containerStatuses?.[0]).toMatchObject({ restartCount: 0, state: { running: {} } });
});

it("a volume that is read-only: the last words name the folder and say so", async () => {
  expect(await lastWords("read-only")).toMatch(/KN_UNAVAILABLE: .*\/var\/lib\/knowledgenet.*EROFS/s);
});

it("a volume that fills up in mid-run: training goes on, the log names what was not written, the fleet's store has it", async () => {
  await waitFor(async () => isReady((await podNamed("filling")) as Pod), "filling is ready", LONG_MS, LOOK_MS);
  const settings = [
    "training.epochs=500",
    "data.limit=12800",
    "checkpoint.everySteps=20",
    "placement={block-1: tier=filling}",
  ];
  await beginRun("filled", "--min-nodes=3", ...settings.flatMap((setting) => ["--set", setting]));
  const { blocks, checkpoint } = await reach("filled", 60);
  expect(blocks.find(({ actor }) => actor === "block-1")?.node).toBe("filling");
  expect(checkpoint).toBeGreaterThanOrEqual(20);
  const log = await kn("logs", "filling");
  expect(log).toMatch(/local copy not written/);
  expect(log).toMatch(/KN_CHECKPOINT.*ENOSPC/);
  await endRun("filled");
});

it("a run in another version of the messages: nodes leave it alone, are not ready while it goes on, and say so", async () => {
  const node = await anyNode();
  await using tunnel = await forward(NAMESPACE, "pod/nats-0", 4222);
  const raw = JSON.parse(await natsCli(tunnel, "kv", "get", "kn-runs", "filled", "--raw")) as object;
  await natsCli(
    tunnel,
    "kv",
    "put",
    "kn-runs",
    "newer",
    JSON.stringify({ ...raw, run: "newer", wireVersion: 99, desired: "running" }),
  );
  const unready = async (): Promise<boolean> => !isReady((await pods("knowledgenet/tier=block"))[0] as Pod);
  await waitFor(unready, "the node is not ready", LONG_MS, LOOK_MS);
  expect(await readinessOf(node)).toMatch(
    /^503 .*run newer uses version 99 of the messages, this node \d+: stop the run/s,
  );
  expect(await kn("logs", node)).toContain("run newer uses version 99");
  await natsCli(tunnel, "kv", "del", "kn-runs", "newer", "--force");
  await waitFor(async () => !(await unready()), "the node is ready", LONG_MS, LOOK_MS);
});
