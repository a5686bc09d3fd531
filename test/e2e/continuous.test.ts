/** A continuous run as its users have it: one command, a served student that follows, a kill, and what it has decided. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { folderModels } from "../../src/apps/models/index.ts";
import { readHistory } from "../../src/apps/follow/follow-history.ts";
import { connectClient } from "../../src/client/index.ts";
import { openFleet } from "../../src/fleet/fleet.ts";
import { type ModelStore, modelsInStore, openModel } from "../../src/models/index.ts";
import { openObservationLog } from "../../src/models/observations/index.ts";
import { layersOfBlocks, type ModelSpec } from "../../src/run-spec/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { connectJetStreamStore } from "../../src/runtime/store/index.ts";
import { manifestOf, randomBlock, randomImages } from "../../tools/bench/serving/random-network.ts";
import { fleetScene } from "../support/fleet-scene.ts";
import { KN, kn } from "../support/kn.ts";
import { describeWithNats, startLeafPair, startTestNats } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { waitFor } from "../support/wait-for.ts";

const INPUT = [8, 8, 1] as const;
const SPEC = `
kind: continuous
name: follow
oracle: { model: oracle }
student: { model: student }
observe: { inputsPerMinute: 6000, bytesPerMinute: 60000000, slotsPerMinute: 600 }
training: { steps: 60, shift: 0, optimizer: { kind: adam, learningRate: 0.01 } }
update: { fraction: 0.5 }
gate: { recallDrop: 1, recallFloor: 0, forgetting: 1 } # weights at random know nothing that could be forgotten
`;

/** Of one task: an oracle in two sections, and a student of half its size. */
function network(units: number, cuts: string[]): ModelSpec {
  return {
    input: [...INPUT],
    classes: 3,
    layers: [
      { name: "scale", type: "rescaling", scale: 1 / 128, offset: -1 },
      { name: "flat", type: "flatten" },
      { name: "hidden", type: "dense", units, useBias: true },
      { name: "relu", type: "re_lu" },
      { name: "logits", type: "dense", units: 3, useBias: true },
    ],
    cuts,
  } as ModelSpec;
}

/** Three compute workers load their library; slow machines take a minute. */
const START_MS = 120_000;
/** Some candidates are trained, offered and compared. */
const DECIDE_MS = 400_000;

const clock = systemClock();
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

async function publish(models: ModelStore, name: string, model: ModelSpec, seed: number): Promise<void> {
  const opened = openModel(models, name, { clock });
  const parts = layersOfBlocks(model).map((_, block) => randomBlock(model, block, seed));
  const { release } = await opened.publish(manifestOf(model, new Date(0).toISOString()), parts);
  await opened.promote(release, { by: "test", reason: "" });
}

interface Following extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  text(): string;
}

async function publishBoth(models: ModelStore): Promise<void> {
  await publish(models, "oracle", network(24, ["relu"]), 1);
  await publish(models, "student", network(12, []), 2);
}

const IN_ONE_PROCESS = ["run", "follow.yaml", "--http", "127.0.0.1:0", "--models", "models"];

function start(args: readonly string[] = IN_ONE_PROCESS): Following {
  const child = spawn(process.execPath, [KN, ...args], { cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const onData = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on("data", onData);
  child.stderr.on("data", onData);
  const ended = new Promise<number | null>((resolve) =>
    child.once("close", (code, signal) => {
      text += `\n[ended with ${signal ?? code}]`;
      resolve(code);
    }),
  );
  return {
    ...{ child, ended, text: () => text },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Sends images while `work` goes on. @returns what `work` does, and the releases that answered */
async function underTraffic<T>(
  following: Following,
  seed: number,
  work: (releases: ReadonlySet<number>) => Promise<T>,
) {
  const url = await waitFor(
    () => /student at (http:\S+)\/v2\/models\/student/.exec(following.text())?.[1],
    "an address",
    START_MS,
  );
  await waitFor(async () => (await fetch(`${url}/v2/models/student/ready`)).status === 200, "readiness", START_MS);
  await using client = await connectClient({ url, model: "student" });
  const releases = new Set<number>();
  let isOver = false;
  const send = async (): Promise<void> => {
    for (let batch = 0; !isOver; batch += 1) {
      const { values } = randomImages(INPUT, 8, seed + batch);
      const { release } = await client.infer(Uint8Array.from(values), { shape: [8, ...INPUT] });
      releases.add(release);
    }
  };
  const sending = send();
  try {
    return { result: await work(releases), releases };
  } finally {
    isOver = true;
    await sending;
  }
}

/** Adds what the processes have said to a wait in vain. */
async function shown<T>(waiting: Promise<T>, text: () => string): Promise<T> {
  try {
    return await waiting;
  } catch (error) {
    throw new Error(`${String(error)}: ${text()}`);
  }
}

const windowsIn = (text: string): number[] =>
  [...text.matchAll(/^window (\d+) \| release/gm)].map(([, at]) => Number(at));

async function replay(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await kn(["replay", "follow", "--json", ...args], folder.path).ended;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function listed(): Promise<unknown[]> {
  const { stdout } = await kn(["runs", "--json"], folder.path).ended;
  const rows = JSON.parse(stdout) as { run: string; kind: string; outcome: string }[];
  return rows.map(({ run, kind, outcome }) => ({ run, kind, outcome }));
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder.path, "follow.yaml"), SPEC);
  await using models = folderModels({ directory: join(folder.path, "models") }, { clock });
  await publishBoth(models);
}, 60_000);

afterAll(() => folder[Symbol.asyncDispose]());

describe("kn run of a continuous spec", () => {
  it("promotes what is better, goes on after a kill, and can say why", async () => {
    await using first = start();
    const { releases } = await underTraffic(first, 0, () =>
      shown(
        waitFor(() => /promoted as update/.test(first.text()), "a promotion", DECIDE_MS),
        () => first.text(),
      ),
    );
    expect(releases.size).toBeGreaterThan(0);
    first.child.kill("SIGKILL");
    await first.ended;
    const before = Math.max(...windowsIn(first.text()));

    await using second = start();
    // What was promoted is made live, wherever the kill was.
    await underTraffic(second, 100_000, (after) =>
      waitFor(
        () => windowsIn(second.text()).some((window) => window > before + 1) && Math.max(...after) > 1,
        "more windows, and what was promoted",
        DECIDE_MS,
      ),
    );
    expect(await listed()).toContainEqual({ run: "follow", kind: "continuous", outcome: "running" });
    expect((await kn(["rm", "follow"], folder.path).ended).code).toBe(3);
    second.child.kill("SIGTERM");
    expect(await second.ended).toBe(0);
    expect(await listed()).toContainEqual({ run: "follow", kind: "continuous", outcome: "stopped" });

    const { events, promotions } = (await replay()) as {
      events: { sequence: number; event: { kind: string; window: number } }[];
      promotions: number;
    };
    expect(promotions).toBeGreaterThan(0);
    // Nothing is missing, nothing is there twice, whatever was cut off by the kill.
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index));
    const windows = events.flatMap(({ event }) => (event.kind === "window" ? [event.window] : []));
    expect(windows).toEqual(windows.map((_, index) => index));

    const promotion = events.find(({ event }) => event.kind === "promotion");
    const { decisions } = (await replay("--window", String(promotion?.event.window))) as {
      decisions: { isSame: boolean; judgement: { verdict: string } }[];
    };
    expect(decisions).toContainEqual(
      expect.objectContaining({ isSame: true, judgement: expect.objectContaining({ verdict: "promote" }) as unknown }),
    );
  }, 1_200_000);

  it("refuses a model that is not there, and a run that is none, with what to do", async () => {
    await writeFile(join(folder.path, "absent.yaml"), SPEC.replace("model: oracle", "model: nobody"));
    const absent = await kn(["run", "absent.yaml", "--name", "absent", "--http", "none"], folder.path).ended;
    expect(absent.code).not.toBe(0);
    expect(absent.stderr).toMatch(/KN_CONFIG.*nobody.*a release of it must be live.*kn publish/s);
    const none = await kn(["replay", "nothing"], folder.path).ended;
    expect(none.code).not.toBe(0);
    expect(none.stderr).toMatch(/KN_CONFIG.*it must be a continuous run/s);
  }, 60_000);
});

describeWithNats("a continuous run on two sites", () => {
  it("follows a student that another process serves", async () => {
    await using nats = await startTestNats({ jetstream: true });
    await using store = await connectJetStreamStore({ servers: nats.url, name: "test" });
    await publishBoth(modelsInStore(store));
    await using cloud = start(["run", "follow.yaml", "--bus", nats.url, "--http", "none", "--name", "cloud"]);
    const observing = ["--observe-inputs", "6000", "--observe-bytes", "60000000"];
    const serving = ["--bus", nats.url, "--http", "127.0.0.1:0", "--observe", ...observing, "--follow"];
    await using edge = start(["serve", "student", ...serving]);
    const { releases } = await underTraffic(edge, 0, () =>
      shown(
        waitFor(() => /promoted as update/.test(cloud.text()), "a promotion", DECIDE_MS),
        () => cloud.text() + edge.text(),
      ),
    );
    expect(releases.size).toBeGreaterThan(0);
    const model = openModel(modelsInStore(store), "student", { clock });
    await waitFor(async () => ((await model.live()).live ?? 1) > 1, "the edge to make it live", START_MS);
  }, 900_000);

  it("reads the observations of an edge that has its own store, those too that it kept while the link was cut", async () => {
    await using pair = await startLeafPair();
    const [hub, leaf] = [pair.hub, pair.leaf].map(({ port }) => `nats://127.0.0.1:${port}`) as [string, string];
    await using center = await connectJetStreamStore({ servers: hub, name: "test" });
    await using site = await connectJetStreamStore({ servers: leaf, name: "test" });
    await publishBoth(modelsInStore(center));
    await publish(modelsInStore(site), "student", network(12, []), 2);
    const following = ["--bus", hub, "--http", "none", "--name", "leaf", "--observations", `${hub}?domain=edge`];
    await using cloud = start(["run", "follow.yaml", ...following]);
    const observing = ["--observe", "--observe-inputs", "6000", "--observe-bytes", "60000000"];
    const serving = ["--bus", leaf, "--http", "127.0.0.1:0", ...observing, "--follow", `${leaf}?domain=hub`];
    await using edge = start(["serve", "student", ...serving]);
    const until = (condition: () => unknown, what: string): Promise<unknown> =>
      shown(waitFor(condition, what, DECIDE_MS), () => cloud.text() + edge.text());
    const newestObserved = async (): Promise<number> => {
      let newest = -1;
      for await (const { position } of (await openObservationLog(site, "student")).read()) newest = position;
      return newest;
    };

    const { releases } = await underTraffic(edge, 0, async (answered) => {
      await until(() => windowsIn(cloud.text()).length > 1, "windows");
      pair.uplink.cut();
      const cutAt = await newestObserved();
      await until(async () => (await newestObserved()) > cutAt + 100, "observations at the edge alone");
      const windows = windowsIn(cloud.text()).length;
      pair.uplink.mend();
      await until(() => windowsIn(cloud.text()).length > windows + 3, "windows of what the edge has kept");
      await until(() => /promoted as update/.test(cloud.text()), "a promotion");
      await until(() => Math.max(...answered) > 1, "answers by what was promoted");
    });
    expect(releases.size).toBeGreaterThan(1);
    // Inputs of the edge's users stay in its store, what the cloud decides in its own.
    expect(await center.logs("observe.")).toEqual([]);
    expect(await site.logs("follow.")).toEqual([]);
    const [, ...changes] = await openModel(modelsInStore(site), "student", { clock }).history();
    expect(changes.find(({ kind }) => kind === "promoted")?.by).toBe("kn-updater");
    const events = await readHistory(center, "leaf");
    const windows = events.flatMap(({ event }) => (event.kind === "window" ? [event.window] : []));
    expect(windows).toEqual(windows.map((_, index) => index));
  }, 900_000);
});

/** The process of a replica below `kn run`, whose nodes have started it. */
async function replicaBelow({ child }: Following, replica: string): Promise<number | undefined> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,args="]);
  const processes = stdout.split("\n").map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)?.slice(1) ?? []);
  const nodes = processes.filter(([, parent]) => Number(parent) === child.pid).map(([pid]) => pid);
  const found = processes.find(
    ([, parent, args = ""]) => nodes.includes(parent) && args.includes(` replica ${replica} `),
  );
  return found === undefined ? undefined : Number(found[0]);
}

describeWithNats("a continuous run on nodes", () => {
  it("starts nodes for its replicas, and goes on when one of the oracle's is killed", async () => {
    await using models = folderModels({ directory: join(folder.path, "spawned") }, { clock });
    await publishBoth(models);
    const place = ["--models", "spawned", "--name", "spawned", "--nodes", "spawn:2"];
    await using following = start(["run", "follow.yaml", "--http", "127.0.0.1:0", ...place]);
    const text = (): string => following.text();
    await underTraffic(following, 0, async () => {
      await shown(
        waitFor(() => /candidate \d+: /.test(text()), "a candidate", DECIDE_MS),
        text,
      );
      const section = "oracle --slice 1/2";
      const killed = await waitFor(() => replicaBelow(following, section), "its process");
      process.kill(killed, "SIGKILL");
      const before = Math.max(...windowsIn(text()));
      await shown(
        waitFor(() => windowsIn(text()).some((window) => window > before + 2), "more labels", DECIDE_MS),
        text,
      );
      const next = await replicaBelow(following, section);
      expect(next).toBeGreaterThan(0);
      expect(next).not.toBe(killed);
    });
    following.child.kill("SIGTERM");
    expect(await following.ended).toBe(0);
  }, 900_000);

  it("has its replicas on the nodes of a fleet", async () => {
    await using scene = await fleetScene();
    await using store = await connectJetStreamStore({ servers: scene.nats.url, name: "test" });
    await publishBoth(modelsInStore(store));
    const place = ["--bus", scene.nats.url, "--name", "fleet", "--nodes", "fleet", "--min-nodes", "2"];
    await using following = start(["run", "follow.yaml", "--http", "127.0.0.1:0", ...place]);
    await underTraffic(following, 0, () =>
      shown(
        waitFor(() => windowsIn(following.text()).length > 1, "windows", DECIDE_MS),
        () => following.text(),
      ),
    );
    const records = await (await openFleet(store)).serving.all();
    const placed = Object.fromEntries(records.map(({ run, replicas }) => [run, replicas]));
    expect(Object.keys(placed).sort()).toEqual(["serve-oracle", "serve-student"]);
    expect(Object.values(placed["serve-oracle"] ?? {}).sort()).toEqual(["node-1", "node-2"]);
    following.child.kill("SIGTERM");
    expect(await following.ended).toBe(0);
    expect(await (await openFleet(store)).serving.all()).toEqual([]);
  }, 900_000);
});
