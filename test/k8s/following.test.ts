/** The loop of continuous training as overlays/cloud and overlays/edge run it: what each side has, and what it must not. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBusAddress } from "../../src/apps/connect/bus-address.ts";
import { runOfModel } from "../../src/apps/serve/replica-process.ts";
import { parseContinuousSpec } from "../../src/run-spec/index.ts";
import { exportedMetrics } from "../support/cluster/exported-metrics.ts";
import {
  containersOf,
  isSelected,
  type Manifest,
  modelOf,
  named,
  optionOf,
  optionsOf,
  podOf,
  render,
  workloadsOf,
} from "../support/cluster/manifests.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const LEARNER = /^kn_learner_|^kn_update/;
/** The file of a ConfigMap that an option of the container names, as the container has it. */
const fileOf = (manifests: readonly Manifest[], workload: Manifest, path: string): string => {
  const mount = containersOf(workload)
    .flatMap(({ volumeMounts = [] }) => volumeMounts)
    .find(({ mountPath }) => mountPath === path);
  const map = podOf(workload).volumes?.find(({ name }) => name === mount?.name)?.configMap?.name;
  return named(manifests, "ConfigMap", map ?? path).data?.[mount?.subPath ?? ""] ?? "";
};
/** Of the servers, by their configuration. */
const domainOf = (manifests: readonly Manifest[]): string | undefined => {
  const config = manifests.find(({ kind, metadata }) => kind === "ConfigMap" && /^nats-/.test(metadata.name));
  return /domain: (\w+)/.exec(config?.data?.["topology.conf"] ?? "")?.[1];
};
const accessOf = async (text: string) => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "bus.yaml");
  await writeFile(file, text);
  return await readBusAddress(file);
};

describe("a loop over two sites", () => {
  it("has one learner in the cloud, which ends its round before another one starts", async () => {
    const manifests = await render("cloud");
    const learner = named(manifests, "Deployment", "learner");
    expect(learner.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    expect(podOf(learner).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(60);
    const [{ args = [] } = {}] = containersOf(learner);
    expect(args).toEqual(expect.arrayContaining(["--http=none", "--probes=0.0.0.0:8080", "--log=json"]));
    expect(args[0]).toBe("run");
    const text = fileOf(manifests, learner, args[1] ?? "");
    const set = optionsOf(learner, "set").map((each) => each.replace("$(MODEL)", modelOf(learner)));
    const spec = parseContinuousSpec(text, { file: "follow.yaml", set });
    expect(spec.student.model).toBe(modelOf(named(await render("edge"), "Deployment", "gateway")));
    expect(spec.oracle.model).not.toBe(spec.student.model);
    // What it writes beside the store.
    const mounts = containersOf(learner).flatMap(({ volumeMounts = [] }) => volumeMounts);
    const runs = optionOf(learner, "runs") ?? "";
    const isWritten = ({ mountPath, readOnly }: (typeof mounts)[number]): boolean =>
      readOnly !== true && runs.startsWith(`${mountPath}/`);
    expect(mounts.filter(isWritten)).toHaveLength(1);
  });

  it("has each side read the other's store by its JetStream domain, with the credentials of its own server", async () => {
    const [cloud, edge] = [await render("cloud"), await render("edge")];
    expect([domainOf(cloud), domainOf(edge)]).toEqual(["hub", "edge"]);
    for (const [manifests, name, option, domain] of [
      [cloud, "learner", "observations", domainOf(edge)],
      [edge, "updater", "from", domainOf(cloud)],
    ] as const) {
      const workload = named(manifests, "Deployment", name);
      const own = await accessOf(fileOf(manifests, workload, optionOf(workload, "bus") ?? ""));
      const other = await accessOf(fileOf(manifests, workload, optionOf(workload, option) ?? ""));
      const { servers, user, passwordFile } = own;
      expect([name, other]).toEqual([name, expect.objectContaining({ servers, user, passwordFile, domain })]);
      expect([name, own.domain]).toEqual([name, undefined]);
    }
  });

  it("observes at the edge alone, and makes updates live there by one process", async () => {
    const edge = await render("edge");
    const gateway = named(edge, "Deployment", "gateway");
    expect(containersOf(gateway)[0]?.args).toContain("--observe");
    const updater = named(edge, "Deployment", "updater");
    expect(updater.spec).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    expect(containersOf(updater)[0]?.args?.slice(0, 2)).toEqual(["follow", "$(MODEL)"]);
    expect(modelOf(updater)).toBe(modelOf(gateway));
    for (const overlay of ["dev", "cloud"] as const) {
      const args = workloadsOf(await render(overlay)).flatMap((each) => containersOf(each).flatMap((one) => one.args));
      expect(args).not.toContain("--observe");
    }
  });

  it("keeps what the sites say of the served model apart (test/nats/leaf-store.test.ts: its inputs, blobs and logs)", async () => {
    const edge = await render("edge");
    const config = edge.find(({ kind, metadata }) => kind === "ConfigMap" && /^nats-/.test(metadata.name));
    const denied = [...(config?.data?.["topology.conf"] ?? "").matchAll(/^ *deny_(im|ex)ports: \[(.*)\]$/gm)];
    const subject = `"kn.v1.${runOfModel(modelOf(named(edge, "Deployment", "gateway")))}.>"`;
    expect(denied.map(([, which, subjects]) => [which, subjects?.split(", ").includes(subject)])).toEqual([
      ["im", true],
      ["ex", true],
    ]);
  });

  it("has its figures scraped", async () => {
    expect((await exportedMetrics()).filter((name) => LEARNER.test(name)).length).toBeGreaterThan(5);
    const [monitor] = (await render("cloud")).filter(({ kind }) => kind === "PodMonitor");
    const name = "app.kubernetes.io/name";
    for (const each of ["learner", "updater"]) expect(isSelected({ [name]: each }, monitor?.spec?.selector)).toBe(true);
  });
});
