/** Each overlay as kustomize makes it: valid by Kubernetes' own schemas, and by the rules that we keep. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readNodeConfig } from "../../src/apps/node/node-config.ts";
import { locateTool } from "../../setup/index.ts";
import { hasOwnCluster } from "../../scripts/setup-suites.js";
import { toolsFolder } from "../support/cluster/cluster.ts";
import { exportedMetrics } from "../support/cluster/exported-metrics.ts";
import { tryKubectl } from "../support/cluster/kubectl.ts";
import { memoryLimitMiB } from "../support/cluster/use.ts";
import {
  containersOf,
  isSelected,
  type Manifest,
  matches,
  modelOf,
  named,
  optionOf,
  type Overlay,
  parse,
  podOf,
  render,
  renderFolder,
  renderText,
  type Selector,
  workloadsOf,
} from "../support/cluster/manifests.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);
/** Secrets that the user makes (docs/operations.md), with their keys. */
const BY_THE_USER: Readonly<Record<Overlay, Readonly<Record<string, readonly string[]>>>> = {
  dev: {},
  cloud: { "knowledgenet-nats": ["password", "auth.conf"] },
  edge: { "knowledgenet-nats": ["password", "auth.conf"], "knowledgenet-hub": ["remote.conf"] },
};
/** How long `kn serve` waits for requests under way, and its replicas for batches, ms. */
const SERVE_GRACE_MS = 3_000;
/** What the schemas of Kubernetes itself do not know. */
const CUSTOM = "PodMonitor,PrometheusRule";

const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`;

describe.each(["dev", "cloud", "edge"] as const)("overlays/%s", (overlay) => {
  it("is valid by the strict schemas of Kubernetes", async () => {
    if (hasOwnCluster()) {
      const objects = (await render(overlay)).filter(({ kind }) => !CUSTOM.split(",").includes(kind));
      const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
      const said = await tryKubectl(["create", "--dry-run=client", "--validate=strict", "-f", "-"], list);
      expect(said).toMatchObject({ code: 0, stderr: "" });
      return;
    }
    await using folder = await temporaryFolder();
    const file = join(folder.path, "overlay.yaml");
    await writeFile(file, await renderText(overlay));
    const schemas = join(toolsFolder(), "schemas", "{{.ResourceKind}}{{.KindSuffix}}.json");
    const args = ["-strict", "-summary", "-skip", CUSTOM, "-schema-location", schemas, file];
    const { stdout } = await run(join(toolsFolder(), "kubeconform"), args);
    expect(stdout).toMatch(/Invalid: 0, Errors: 0/);
    expect(stdout).not.toMatch(/Valid: 0/);
  });

  it("lives in a namespace that enforces `restricted`, all of it", async () => {
    const manifests = await render(overlay);
    const namespace = manifests.find(({ kind }) => kind === "Namespace");
    expect(namespace?.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
    for (const each of manifests) {
      if (each.kind !== "Namespace")
        expect([nameOf(each), each.metadata.namespace]).toEqual([nameOf(each), "knowledgenet"]);
    }
  });

  it("selects by labels that its pods have, each disruption budget one workload", async () => {
    const manifests = await render(overlay);
    const pods = workloadsOf(manifests).map((each) => ({
      name: nameOf(each),
      labels: each.spec?.template?.metadata.labels ?? {},
    }));
    for (const each of manifests) {
      const { kind, spec } = each;
      const selector =
        kind === "Service" ? spec?.selector : (spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels);
      if (selector === undefined || kind === "PodMonitor") continue;
      const selected = pods
        .filter(({ labels }) => matches(labels, selector as Record<string, string>))
        .map(({ name }) => name);
      expect([nameOf(each), selected.length > 0]).toEqual([nameOf(each), true]);
      if (kind === "PodDisruptionBudget") expect([nameOf(each), selected]).toHaveProperty("1.length", 1);
      if (["StatefulSet", "Deployment"].includes(kind)) expect(selected).toEqual([nameOf(each)]);
    }
  });

  it("names ports, and refers to them by names that are there", async () => {
    const manifests = await render(overlay);
    for (const workload of workloadsOf(manifests)) {
      const labels = workload.spec?.template?.metadata.labels ?? {};
      const ports = containersOf(workload).flatMap(({ ports = [] }) => ports.map(({ name }) => name));
      const wanted = [
        ...containersOf(workload).flatMap(({ startupProbe, livenessProbe, readinessProbe }) =>
          [startupProbe, livenessProbe, readinessProbe].flatMap((probe) =>
            probe?.httpGet === undefined ? [] : [probe.httpGet.port],
          ),
        ),
        ...manifests
          .filter(
            ({ kind, spec }) => kind === "Service" && matches(labels, (spec?.selector ?? {}) as Record<string, string>),
          )
          .flatMap(({ spec }) => (spec?.ports ?? []).map(({ targetPort }) => targetPort)),
        ...manifests
          .filter(({ kind, spec }) => kind === "PodMonitor" && isSelected(labels, spec?.selector))
          .flatMap(({ spec }) => (spec?.podMetricsEndpoints ?? []).map(({ port }) => port)),
      ];
      for (const port of wanted)
        expect([nameOf(workload), ports]).toEqual([nameOf(workload), expect.arrayContaining([port])]);
    }
    for (const { metadata, spec } of manifests.filter(({ kind }) => kind === "StatefulSet")) {
      const service = manifests.find(
        ({ kind, metadata: { name } }) => kind === "Service" && name === spec?.serviceName,
      );
      expect([metadata.name, service?.metadata.name]).toEqual([metadata.name, spec?.serviceName]);
    }
  });

  it("refers to configuration and secrets that are there, or that the documentation has the user make", async () => {
    const manifests = await render(overlay);
    for (const workload of workloadsOf(manifests)) {
      const { volumes = [], serviceAccountName } = podOf(workload);
      expect(
        manifests.some(({ kind, metadata }) => kind === "ServiceAccount" && metadata.name === serviceAccountName),
      ).toBe(true);
      const claims = (workload.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
      for (const { configMap, secret } of volumes) {
        const name = configMap?.name ?? secret?.secretName;
        if (name === undefined) continue;
        const found = manifests.find(
          ({ kind, metadata }) => metadata.name === name && kind === (secret ? "Secret" : "ConfigMap"),
        );
        const keys = Object.keys(found?.data ?? {}).concat(BY_THE_USER[overlay][name] ?? []);
        expect([name, keys]).toEqual([name, expect.arrayContaining((secret?.items ?? []).map(({ key }) => key))]);
        expect(keys.length).toBeGreaterThan(0);
      }
      const names = [...volumes.map(({ name }) => name), ...claims];
      for (const { volumeMounts = [] } of containersOf(workload)) {
        for (const { name, subPath } of volumeMounts) {
          expect(names).toContain(name);
          const map = volumes.find((volume) => volume.name === name)?.configMap?.name;
          const config = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === map);
          if (subPath !== undefined) expect(Object.keys(config?.data ?? {})).toContain(subPath);
        }
      }
    }
  });

  it("holds every container to the same rules: rights, limits, probes, reasons, pinned images, no secret in sight", async () => {
    const manifests = await render(overlay);
    for (const workload of workloadsOf(manifests)) {
      const pod = podOf(workload);
      const at = nameOf(workload);
      expect([at, pod.automountServiceAccountToken]).toEqual([at, false]);
      expect([at, pod.securityContext]).toEqual([
        at,
        expect.objectContaining({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } }),
      ]);
      for (const container of containersOf(workload)) {
        expect(container.securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect([at, Object.keys(container.resources?.requests ?? {})]).toEqual([at, ["cpu", "memory"]]);
        expect(container.resources?.limits).toHaveProperty("memory");
        expect(container.image).toMatch(/^[a-z-]+:\d+\.\d+\.\d+(-\w+)?$/);
        expect(container.terminationMessagePolicy).toBe("FallbackToLogsOnError");
        for (const { name, value = "" } of container.env ?? [])
          expect(`${name}=${value}`).not.toMatch(/pass|secret|token|:\/\//i);
        for (const word of container.args ?? []) expect(word).not.toMatch(/pass|token|:\/\/\S*@/i);
        if (workload.kind === "Job") continue;
        expect([at, container.lifecycle?.preStop]).toEqual([at, expect.anything()]);
        expect(pod.affinity?.podAntiAffinity).toBeDefined();
        const paths = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
          (probe) => probe?.httpGet?.path,
        );
        if (at.includes("nats")) {
          for (const path of paths) expect(path).toMatch(/^\/healthz/);
          // Its heap is collected before the kernel ends it.
          const goal = container.env?.find(({ name }) => name === "GOMEMLIMIT")?.value;
          expect(Number(/^(\d+)MiB$/.exec(goal ?? "")?.[1]) / memoryLimitMiB(workload)).toBeCloseTo(0.8, 1);
        } else expect(paths).toEqual(["/startupz", "/healthz", "/readyz"]);
      }
    }
  });

  it("denies all traffic that has no name", async () => {
    const policies = (await render(overlay)).filter(({ kind }) => kind === "NetworkPolicy");
    const deny = policies.find(({ metadata }) => metadata.name === "default-deny");
    expect(deny?.spec).toEqual({ podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  });

  it("configures nodes and servers as they themselves accept it", async () => {
    await using folder = await temporaryFolder();
    const manifests = await render(overlay);
    const dataOf = (prefix: string): Readonly<Record<string, string>> =>
      manifests.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name.startsWith(prefix))?.data ?? {};
    const file = join(folder.path, "node.yaml");
    await writeFile(file, dataOf("knowledgenet-node")["node.yaml"] ?? "");
    expect(await readNodeConfig(file)).toMatchObject({
      http: "0.0.0.0:8080",
      log: "stdout",
      bus: { servers: ["nats://nats:4222"] },
    });

    for (const [name, text] of Object.entries(dataOf("nats"))) await writeFile(join(folder.path, name), text);
    for (const [name, text] of [
      ["secret/auth.conf", "authorization { user: knowledgenet, password: x }"],
      ["hub/remote.conf", 'url: "tls://u:p@hub:7422"'],
    ] as const) {
      await mkdir(join(folder.path, name, ".."), { recursive: true });
      await writeFile(join(folder.path, name), text);
    }
    const { stderr } = await run(
      locateTool("nats-server", process.env) ?? "",
      ["-t", "-c", join(folder.path, "nats.conf")],
      {
        env: { ...process.env, POD_NAME: "nats-0" },
      },
    );
    expect(stderr).toMatch(/configuration file .* is valid/);
  });
});

it("moves whole into another namespace, where it is a second fleet", async () => {
  await using folder = await temporaryFolder();
  const overlay = relative(folder.path, fileURLToPath(new URL("../../deploy/k8s/overlays/dev", import.meta.url)));
  await writeFile(join(folder.path, "kustomization.yaml"), `namespace: second\nresources: ["${overlay}"]\n`);
  const text = await renderFolder(folder.path);
  expect(text).toMatch(/^kind: Namespace\n(?:.+\n)*? {2}name: second$/m);
  const namespaces = [...text.matchAll(/^ {2}namespace: (\S+)$/gm)].map(([, name]) => name);
  expect(new Set(namespaces)).toEqual(new Set(["second"]));
});

it("draws and alarms on metrics that nodes and gateways export", async () => {
  const exported = await exportedMetrics();
  const manifests = await render("cloud");
  const dashboard = JSON.parse(
    manifests.find(({ metadata }) => metadata.name === "knowledgenet-dashboard")?.data?.["dashboard.json"] ?? "",
  ) as { panels: { title: string; targets?: { expr: string }[] }[] };
  const rules = manifests.flatMap(({ spec }) => spec?.groups ?? []).flatMap((group) => group.rules);
  const expressions = [...dashboard.panels.flatMap(({ targets = [] }) => targets), ...rules].map(({ expr }) => expr);
  expect(dashboard.panels.length).toBeGreaterThan(10);
  expect(rules.length).toBeGreaterThan(3);
  for (const expression of expressions) {
    const names = expression.match(/\b(kn|nodejs|process)_[a-z_]+/g) ?? [];
    expect([expression, names.length > 0]).toEqual([expression, true]);
    for (const name of names) {
      if (name.startsWith("kn_")) expect(exported).toContain(name);
      else expect(["nodejs_heap_size_used_bytes", "process_resident_memory_bytes"]).toContain(name);
    }
  }
  const operations = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
  for (const { alert } of rules) expect(operations).toContain(`### ${alert}`);
});

describe("serving", () => {
  it("leaves no request without an address: a new pod is ready first, an old one has notice and time", async () => {
    const manifests = await render("dev");
    const gateway = named(manifests, "Deployment", "gateway");
    const replica = named(manifests, "Deployment", "replica");
    for (const each of [gateway, replica]) {
      expect(each.spec?.strategy).toEqual({ rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
      expect(each.spec?.replicas).toBeGreaterThanOrEqual(2);
    }
    const { terminationGracePeriodSeconds = 0, containers } = podOf(gateway);
    const beforeMs = (containers[0]?.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
    const noticeMs = Number(optionOf(gateway, "notice-ms"));
    expect(noticeMs).toBeGreaterThanOrEqual(2_000);
    expect(beforeMs + noticeMs + 2 * SERVE_GRACE_MS).toBeLessThan(terminationGracePeriodSeconds * 1_000);
    expect(named(manifests, "Service", "serving").spec?.ports).toMatchObject([{ port: 80, targetPort: "http" }]);
  });

  it("publishes under the name that is served", async () => {
    const manifests = await render("dev");
    const [publish] = podOf(named(manifests, "Job", "mnist")).containers;
    const model = modelOf(named(manifests, "Deployment", "gateway"));
    expect(publish?.args).toEqual(expect.arrayContaining([`--model=${model}`, "--promote"]));
  });

  it("is scaled without a number that an apply would set back", async () => {
    const manifests = await render("cloud");
    for (const { spec } of manifests.filter(({ kind }) => kind === "HorizontalPodAutoscaler")) {
      expect(
        named(manifests, spec?.scaleTargetRef?.kind ?? "", spec?.scaleTargetRef?.name ?? "").spec,
      ).not.toHaveProperty("replicas");
    }
  });

  it("takes a second model, blocks, and scaling by the queue, as docs/operations.md says", async () => {
    await using folder = await temporaryFolder();
    const at = (path: string): string =>
      relative(folder.path, fileURLToPath(new URL(`../../deploy/k8s/${path}`, import.meta.url)));
    await mkdir(join(folder.path, "letters"));
    const letters = `resources: ["../${at("base/serving")}"]\nnamePrefix: letters-\nlabels:\n  - pairs: { knowledgenet/model: letters }\n    includeSelectors: true\n`;
    await writeFile(join(folder.path, "letters", "kustomization.yaml"), letters);
    const text = `resources: ["${at("base/serving-by-blocks")}", letters]\n`;
    await writeFile(join(folder.path, "kustomization.yaml"), text);
    const manifests = parse(await renderFolder(folder.path));
    const workloads = workloadsOf(manifests);
    expect(workloads.map(({ metadata }) => metadata.name).sort()).toEqual([
      "gateway",
      "letters-gateway",
      "letters-replica",
      "replica-0",
      "replica-1",
      "replica-2",
      "replica-3",
    ]);
    expect(workloads.map((each) => optionOf(each, "slice")).filter((slice) => slice !== undefined)).toEqual([
      "0/4",
      "1/4",
      "2/4",
      "3/4",
    ]);
    // No selector reaches into the pods of another workload.
    for (const { kind, metadata, spec } of manifests) {
      const selector = kind === "Service" ? { matchLabels: spec?.selector } : (spec?.selector ?? spec?.podSelector);
      const selected = workloads.filter((each) =>
        isSelected(each.spec?.template?.metadata.labels ?? {}, selector as Selector),
      );
      expect([kind, metadata.name, selected.length]).toEqual([kind, metadata.name, 1]);
    }

    const queue = `resources: ["${at("base/serving")}"]\ncomponents: ["${at("components/autoscaling")}", "${at("components/autoscaling-by-queue")}"]\n`;
    await writeFile(join(folder.path, "kustomization.yaml"), queue);
    const operations = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
    const [, metric = "none"] = /name: (kn_\w+)/.exec(await renderFolder(folder.path)) ?? [];
    expect(operations).toContain(metric);
    expect(await exportedMetrics()).toContain(metric.replace(/_p90$/, ""));
  });
});
