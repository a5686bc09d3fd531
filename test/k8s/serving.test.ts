/** The served model of overlays/dev under load, which never retries: a swap, rolling restarts, a NATS server that goes. */
import { mkdir, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { StatusSummary } from "../../src/apps/cli/commands/status.ts";
import { type LoadReport, reportOf, type RunningLoad } from "../../tools/serving/load/index.ts";
import {
  apiServer,
  describeFleet,
  inPod,
  isReady,
  kn,
  LONG_MS,
  LOOK_MS,
  mustApply,
  pods,
  removeFleet,
} from "../support/cluster/dev-fleet.ts";
import { type Manifest, render } from "../support/cluster/manifests.ts";
import { table } from "../support/cluster/results.ts";
import { curlDigits, type Digits, isReachable, loadService, testDigits } from "../support/cluster/serving.ts";
import { waitFor } from "../support/wait-for.ts";

/** A shorter training, of which two generations are kept. */
const SHORTER = ["data.limit=12800", "checkpoint.everySteps=20"].map((setting) => `--set=${setting}`);
/** What is published is measured on more. */
const IS_PUBLISHED = process.env["KN_RESULTS"] !== undefined;
const LEAST_REQUESTS = IS_PUBLISHED ? 10_000 : 1_000;
const RATE_PER_SECOND = IS_PUBLISHED ? 100 : 40;
/** Load before and after what happens, ms. */
const CALM_MS = 5_000;
const ENDLESS_MS = 1_800_000;
const LIMIT_MS = 900_000;
const LIMITED = { timeout: LIMIT_MS };
const NEEDS =
  "the load generator runs beside the suite's own cluster; the addresses of another may be out of its reach";

const TRAINERS = "app.kubernetes.io/name=node";

const rows: string[][] = [];
let digits: Digits;

/** Starting pods take the processors from those that answer: requests may wait for that. */
function patient(manifest: Manifest): Manifest {
  const args: Readonly<Record<string, readonly string[]>> = {
    "Deployment/gateway": ["--target-ms=5000"],
    "Job/mnist": SHORTER,
  };
  const { kind, metadata, spec } = manifest;
  const more = args[`${kind}/${metadata.name}`];
  if (more === undefined || spec?.template === undefined) return manifest;
  const { template } = spec;
  const key = template.spec.initContainers === undefined ? "containers" : "initContainers";
  const containers = (template.spec[key] ?? []).map((each) => ({ ...each, args: [...(each.args ?? []), ...more] }));
  return { ...manifest, spec: { ...spec, template: { ...template, spec: { ...template.spec, [key]: containers } } } };
}

const rolledOut = (...names: readonly string[]): Promise<unknown> =>
  Promise.all(names.map((name) => kn("rollout", "status", `deployment/${name}`, "--timeout=300s")));

/** What becomes of the requests while `work` goes on: some before, some after, and as many as are wanted. */
async function underLoad(name: string, work: (load: RunningLoad) => Promise<void>): Promise<LoadReport> {
  const streams = [{ name: "test", ratePerSecond: RATE_PER_SECOND, timeoutMs: 20_000 }];
  const startedMs = performance.now();
  await using load = await loadService(digits, { streams, seed: rows.length + 1, durationMs: ENDLESS_MS });
  const calm = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, CALM_MS));
  await calm();
  load.mark(`${name} begins`);
  const workMs = performance.now();
  await work(load);
  const tookSeconds = (performance.now() - workMs) / 1_000;
  load.mark(`${name} ended`);
  await calm();
  const remainingMs = (LEAST_REQUESTS / RATE_PER_SECOND) * 1_050 - (performance.now() - startedMs);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, remainingMs)));
  load.stop();
  const report = await reportOf(await load.ended);
  const { requests, ok, refused, failed, latencyMs } = report.total;
  const figures = [requests, ok, refused, failed].map(String);
  rows.push([name, tookSeconds.toFixed(1), ...figures, latencyMs.p50.toFixed(1), latencyMs.p99.toFixed(1)]);
  return report;
}

/** Each one answered. */
function expectAllAnswered({ total, texts }: LoadReport): void {
  expect({ texts, outcomes: total.outcomes }).toEqual({ texts: {}, outcomes: { ok: total.requests } });
  expect(total.requests).toBeGreaterThanOrEqual(LEAST_REQUESTS);
}

beforeAll(async () => {
  await apiServer();
  await removeFleet();
  digits = await testDigits();
  const manifests = (await render("dev")).map(patient);
  const isNamespace = ({ kind }: Manifest): boolean => kind === "Namespace";
  await mustApply(JSON.stringify(manifests.find(isNamespace)));
  const items = manifests.filter((each) => !isNamespace(each));
  await mustApply(JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  await kn("wait", "--for=condition=complete", "job/mnist", "--timeout=600s");
  await rolledOut("gateway", "replica");
  // What has trained leaves its processors to what serves; one node stays to give commands in.
  await kn("scale", "statefulset/node", "--replicas=1");
  await kn("scale", "deployment/worker", "--replicas=0");
  await waitFor(async () => (await pods(TRAINERS)).length === 1, "one node is left", LONG_MS, LOOK_MS);
}, LIMIT_MS);

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await describeFleet("mnist"));
});

afterAll(async () => {
  await removeFleet();
  const head = ["while", "s", "requests", "answered", "refused", "failed", "p50 ms", "p99 ms"];
  const text = `# A served model on a one-node Kubernetes

\`KN_RESULTS=docs/results/kubernetes npm run test:k8s\` measured it: two gateways and two replicas of overlays/dev, with the cluster, its control plane and the load on the same two cores, whose load average was ${(loadavg()[1] ?? 0).toFixed(0)} at the end. Open loop, ${RATE_PER_SECOND} requests per second through the Service, one digit each, no retries; latency counts from the intended time of sending.

${table(head, rows)}
`;
  console.log(text);
  const folder = process.env["KN_RESULTS"];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "serving.md"), text);
});

it("`curl --data-binary @digit.png` through the Service answers its class", async () => {
  const answers = await curlDigits(digits, 10);
  const classes = answers.map((text) => {
    const { outputs } = JSON.parse(text) as { outputs: { name: string; data: unknown[] }[] };
    return Number(outputs.find(({ name }) => name === "class")?.data[0]);
  });
  const right = classes.filter((each, index) => each === digits.labels[index]).length;
  expect([classes, right >= 8]).toEqual([classes, true]);
});

describe("under load", () => {
  it("a release that is promoted takes over, and no request fails", LIMITED, async ({ skip }) => {
    skip(!isReachable(), NEEDS);
    const { checkpoint } = JSON.parse(await inPod("node-0", "status", "mnist", "--json")) as StatusSummary;
    const earlier = ["--model=digits", "--generation", String(checkpoint - 20)];
    const report = await underLoad("a release is published and promoted", async (load) => {
      expect(await inPod("node-0", "publish", "mnist", ...earlier)).toContain("release 2 of digits");
      expect(await inPod("node-0", "promote", "digits", "2")).toContain("release 2 of digits is live");
      load.mark("promoted");
    });
    expectAllAnswered(report);
    expect(Object.keys(report.total.releases)).toEqual(["1", "2"]);
  });

  it.for(["replica", "gateway"])("a rolling restart of every %s fails no request", LIMITED, async (name, { skip }) => {
    skip(!isReachable(), NEEDS);
    const selector = `app.kubernetes.io/name=${name}`;
    const before = await pods(selector);
    const stillThere = async (): Promise<unknown[]> =>
      (await pods(selector)).filter(({ metadata }) => before.some((old) => old.metadata.uid === metadata.uid));
    const report = await underLoad(`a rolling restart of deployment/${name}`, async () => {
      await kn("rollout", "restart", `deployment/${name}`);
      await rolledOut(name);
      // The last old one has left, too.
      await waitFor(async () => (await stillThere()).length === 0, "the old ones have left", LONG_MS, LOOK_MS);
    });
    expectAllAnswered(report);
  });

  it(
    "a restart of the NATS server: what was under way or came meanwhile is answered or refused with a code",
    LIMITED,
    async ({ skip }) => {
      skip(!isReachable(), NEEDS);
      const [old] = await pods("app.kubernetes.io/name=nats");
      const report = await underLoad("the NATS server is restarted", async () => {
        await kn("delete", "pod", "nats-0", "--wait=false");
        const isBack = async (): Promise<boolean> =>
          (await pods("app.kubernetes.io/name=nats")).some(
            (each) => each.metadata.uid !== old?.metadata.uid && isReady(each),
          );
        await waitFor(isBack, "the server is back", LONG_MS, LOOK_MS);
        await rolledOut("gateway", "replica");
      });
      const { outcomes, failed } = report.total;
      expect({ outcomes, texts: report.texts, failed }).toMatchObject({ failed: 0 });
      for (const text of Object.keys(report.texts)) expect(text).toMatch(/^\w+: (503|504|429) KN_/);
      // All is as before.
      for (const second of report.series.slice(-4, -1)) expect(second).toMatchObject({ refused: 0, failed: 0 });
      expect(await inPod("node-0", "promote", "digits", "1")).toContain("release 1 of digits is live");
      expect(await curlDigits(digits, 1)).toEqual([expect.stringContaining('"model_version":"1"')]);
    },
  );
});

it("restarted nothing by itself", async () => {
  for (const { metadata, status } of await pods("knowledgenet/model=digits")) {
    for (const { restartCount } of status.containerStatuses ?? [])
      expect([metadata.name, restartCount]).toEqual([metadata.name, 0]);
  }
});
