/** The dev overlay on a real cluster: applied, trained to its accuracy, broken, restarted, looked into, measured. */
import { mkdtemp, readFile, rm, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  anyNode,
  apiServer,
  beginRun,
  comesBack,
  describeFleet,
  DEV,
  endRun,
  inPod,
  kn,
  LONG_MS,
  metricsOf,
  NAMESPACE,
  natsCli,
  pods,
  reach,
  removeFleet,
  rolledOut,
} from "../support/cluster/dev-fleet.ts";
import { apply, forward, tryKubectl } from "../support/cluster/kubectl.ts";
import { render, workloadsOf } from "../support/cluster/manifests.ts";
import { tellResults } from "../support/cluster/results.ts";
import { curlDigits, testDigits } from "../support/cluster/serving.ts";
import { memoryLimitMiB, type Use, watchUse } from "../support/cluster/use.ts";
import { waitFor } from "../support/wait-for.ts";

const OPERATIONS = new URL("../../docs/operations.md", import.meta.url);
/** A run that does not end by itself. */
const ENDLESS = ["training.epochs=500", "data.limit=12800", "checkpoint.everySteps=20"].flatMap((setting) => [
  "--set",
  setting,
]);
/** Its name. */
const RUN = "endless";

/** Between two looks into every pod, ms: they share the processor with what they look at. */
const DEAR_LOOK_MS = 2_000;

const seconds: Record<string, number> = {};
let accuracy = Number.NaN;
let use: ReadonlyMap<string, Use> = new Map();
const sinceMs = (startedMs: number): number => (performance.now() - startedMs) / 1000;

/** Resolves when the actor's weights have been updated more than so often, as any of the nodes tells. */
async function updatedBeyond(updates: number, run: string, actor: string): Promise<number> {
  const pattern = new RegExp(`^kn_actor_updates_total{run="${run}",actor="${actor}"} (\\d+)`, "m");
  const look = async (): Promise<number | undefined> => {
    for (const { metadata } of await pods("app.kubernetes.io/name=node")) {
      const found = pattern.exec(await metricsOf(metadata.name).catch(() => ""));
      if (Number(found?.[1] ?? 0) > updates) return Number(found?.[1]);
    }
    return undefined;
  };
  return await waitFor(look, `${actor} of ${run} beyond ${updates} updates`, LONG_MS, DEAR_LOOK_MS);
}

let appliedMs = 0;
beforeAll(async () => {
  await apiServer();
  await removeFleet();
  appliedMs = performance.now();
  const { code, stderr } = await tryKubectl(["apply", "-k", DEV]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") console.log(await describeFleet(RUN));
});

afterAll(async () => {
  await removeFleet();
  await tellResults({ accuracy, use, workloads: workloadsOf(await render("dev")), seconds });
});

it("`kubectl apply -k overlays/dev` brings up NATS, native and wasm nodes, and the Job trains to 97.5 %", async () => {
  await rolledOut();
  seconds["`kubectl apply -k` until all pods are ready"] = sinceMs(appliedMs);
  await updatedBeyond(0, "mnist", "block-3");
  seconds["`kubectl apply -k` until the last block's first step"] = sinceMs(appliedMs);
  const watching = watchUse(NAMESPACE);
  await kn("wait", "--for=condition=complete", "job/mnist", "--timeout=400s");
  seconds["`kubectl apply -k` until the Job has completed"] = sinceMs(appliedMs);
  use = await watching.stop();
  const log = await kn("logs", "job/mnist");
  accuracy = Number(/accuracy\D+(\d+\.\d+) %/.exec(log.split("\n").reverse().join("\n"))?.[1]);
  expect([log, accuracy >= 97.5]).toEqual([log, true]);
  const nodes = JSON.parse(await inPod("node-0", "nodes", "--json")) as { name: string; backend: string }[];
  const backends = nodes.map(({ name, backend }) => `${name.replace(/^worker-.*/, "worker")} ${backend}`).sort();
  expect(backends).toEqual(["node-0 native", "node-1 native", "node-2 native", "node-3 native", "worker wasm"]);
});

it("what the Job has trained is live, and `curl --data-binary @digit.png` answers the class", async () => {
  await kn("rollout", "status", "deployment/gateway", "--timeout=120s");
  seconds["`kubectl apply -k` until the gateways answer"] = sinceMs(appliedMs);
  const digits = await testDigits();
  const answers = await curlDigits(digits, 3);
  for (const [index, answer] of answers.entries()) {
    expect(answer).toContain(`"name":"class","datatype":"BYTES","shape":[1],"data":["${digits.labels[index]}"]`);
  }
});

it("a second apply changes nothing", async () => {
  const { code, stdout } = await tryKubectl(["diff", "-k", DEV]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
});

describe("while a run goes on", () => {
  beforeAll(() => beginRun(RUN, ...ENDLESS));
  afterAll(() => endRun(RUN));

  it("a block's pod that is deleted in mid-run comes back on its volume and goes on", async () => {
    const before = await reach(RUN, 40);
    const owner = before.blocks.find(({ actor }) => actor === "block-1")?.node ?? "";
    const old = (await pods("knowledgenet/tier=block")).find(({ metadata }) => metadata.name === owner);
    const updates = await updatedBeyond(0, RUN, "block-1");
    const deletedMs = performance.now();
    await kn("delete", "pod", owner, "--wait=false");
    await comesBack(owner, old);
    seconds["a deleted pod of a block until it is ready again"] = sinceMs(deletedMs);
    await updatedBeyond(updates, RUN, "block-1");
    seconds["a deleted pod of a block until the block learns again"] = sinceMs(deletedMs);

    const after = await reach(RUN, before.step + 60);
    expect(after.blocks.find(({ actor }) => actor === "block-1")?.node).toBe(owner);
    // From its volume, where it had saved itself when it was told to leave: nothing that was applied is lost.
    expect(await kn("logs", owner)).toContain("restored from its newest state");
    for (const block of after.blocks) expect(block).toMatchObject({ isBalanced: true, skipped: {} });
  });

  it("a rolling restart of everything in mid-run loses no checkpointed step", async () => {
    const before = await reach(RUN, 40);
    const startedMs = performance.now();
    for (const workload of ["statefulset/node", "deployment/worker", "statefulset/nats"]) {
      await kn("rollout", "restart", workload);
    }
    await rolledOut();
    seconds["a rolling restart of every pod while a run goes on"] = sinceMs(startedMs);
    const after = await reach(RUN, before.step + 60);
    expect(after.checkpoint).toBeGreaterThan(before.checkpoint);
    for (const block of after.blocks) expect(block).toMatchObject({ isBalanced: true, skipped: {} });
  });

  it("every `nats` command of docs/operations.md shows what it should", async () => {
    const commands = (await natsCommands()).filter((command) => !command.startsWith(BACKUP));
    expect(commands.length).toBeGreaterThanOrEqual(11);
    await reach(RUN, 40);
    await using tunnel = await forward(NAMESPACE, "service/nats", 4222);
    const expected: Readonly<Record<string, readonly string[]>> = {
      "nats service list": ["kn-node", "kn-block", "kn-gradient", "kn-feeder"],
      "nats service info kn-block": ["block-", "activation"],
      "nats service stats kn-block": ["kn-block"],
      "nats sub": [`kn.v1.${RUN}.`],
      "nats kv ls": ["kn-nodes", "kn-runs", "kn-status", "kn-leases", "kn-manifests"],
      "nats kv get kn-status": [`"run":"${RUN}"`],
      "nats kv get kn-runs": [`"run":"${RUN}"`],
      "nats object ls": ["kn-artifacts"],
      "nats object ls kn-artifacts": [`run.${RUN}.block-0.`, `run.${RUN}.gradient-2.`],
      "nats stream report": ["KV_kn-runs", "OBJ_kn-artifacts"],
      "nats consumer report": ["KV_kn-runs"],
    };
    for (const prefix of Object.keys(expected)) expect(commands.join("\n")).toContain(prefix);
    for (const command of commands) {
      const words =
        command
          .replaceAll("RUN", RUN)
          .replaceAll("MODEL", "digits")
          .match(/'[^']*'|\S+/g) ?? [];
      const args = words.slice(1).map((word) => word.replace(/^'|'$/g, ""));
      const output = await natsCli(tunnel, ...args);
      const [prefix = ""] = Object.keys(expected)
        .filter((each) => command.startsWith(each))
        .sort((a, b) => b.length - a.length);
      for (const part of expected[prefix] ?? [])
        expect([command, output]).toEqual([command, expect.stringContaining(part)]);
    }
  });
});

it("a run that was stopped goes on when any pod is told so", async () => {
  const node = await anyNode();
  const { step } = JSON.parse(await inPod(node, "status", RUN, "--json")) as { step: number };
  const said = await inPod(node, "resume", RUN, "--nodes=fleet", "--detach", "--runs=/tmp/runs");
  expect(said).toContain(`from step ${step}`);
  await reach(RUN, step + 20);
  await inPod(node, "stop", RUN);
});

/** With nothing that writes: docs/operations.md says what happens otherwise. */
it("`nats account backup` of docs/operations.md writes every bucket", async () => {
  const [command = ""] = (await natsCommands()).filter((each) => each.startsWith(BACKUP));
  await using tunnel = await forward(NAMESPACE, "service/nats", 4222);
  const folder = await mkdtemp(join(tmpdir(), "kn-nats-"));
  try {
    const words = command.replaceAll("BACKUP", join(folder, "backup")).split(/\s+/);
    expect(await natsCli(tunnel, ...words.slice(1))).toContain("OBJ_kn-artifacts");
    expect(await readdir(join(folder, "backup"))).toEqual(expect.arrayContaining(["KV_kn-runs", "OBJ_kn-artifacts"]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const BACKUP = "nats account backup";

/** Those of the blocks of docs/operations.md, without their comments. */
async function natsCommands(): Promise<string[]> {
  const text = await readFile(OPERATIONS, "utf8");
  return [...text.matchAll(/^(nats .+?)(?:\s+#.*)?$/gm)].map(([, command = ""]) => command);
}

it("stays within its memory, and nothing was restarted but what we restarted", async () => {
  const workloads = workloadsOf(await render("dev"));
  expect([...use.keys()]).toEqual(expect.arrayContaining(workloads.map(({ metadata }) => metadata.name)));
  for (const workload of workloads) {
    const { workingSetMiB = Number.NaN } = use.get(workload.metadata.name) ?? {};
    expect(workingSetMiB).toBeGreaterThan(0);
    expect(workingSetMiB).toBeLessThan(memoryLimitMiB(workload));
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
