/**
 * Continuous training over two sites in containers: the edge serves and observes behind a leaf-node server of its own, oracle
 * and learner are in the cloud. The link between them is cut before the learner starts, and again while it follows.
 */
import type { StartedTestContainer } from "testcontainers";
import { expect, it } from "vitest";
import { connectFleet } from "../../src/apps/connect/connect-fleet.ts";
import { readHistory } from "../../src/apps/follow/follow-history.ts";
import { type Model, type ModelStore, modelsInStore, openModel } from "../../src/models/index.ts";
import { openObservationLog } from "../../src/models/observations/index.ts";
import { layersOfBlocks, type ModelSpec } from "../../src/run-spec/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import type { Store } from "../../src/runtime/store/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { manifestOf, randomBlock, randomImages } from "../../tools/bench/serving/random-network.ts";
import { reportOf, startLoad } from "../../tools/serving/load/index.ts";
import {
  addressOf,
  becomesReady,
  type ContainerFleet,
  createNetwork,
  HTTP_PORT,
  hostOf,
  logOf,
  NATS_PORT,
  type Network,
  startFleet,
  startKn,
  startNats,
} from "../support/containers/fleet.ts";
import { edgeLeafnodes } from "../support/nats-server.ts";
import { waitFor } from "../support/wait-for.ts";

const LEAF_PORT = 7422;
const INPUT = [8, 8, 1] as const;
const RATE_PER_SECOND = 60;
/** The edge's log has at most twice as many. */
const KEPT = 150;
const CUT_MS = 20_000;
const QUIET_MS = 5_000;
const SPEC_FILE = "/etc/knowledgenet/follow.yaml";
const LONG_MS = 300_000;
const LOOK_MS = 500;

const HUB = `port: ${NATS_PORT}
server_name: hub
max_payload: 8MB
jetstream { store_dir: /data, domain: hub }
leafnodes { port: ${LEAF_PORT} }
`;
const leafConfig = async (hub: string): Promise<string> => `port: ${NATS_PORT}
server_name: leaf
max_payload: 8MB
jetstream { store_dir: /data, domain: edge }
${await edgeLeafnodes(`nats-leaf://${hub}:${LEAF_PORT}`)}`;

const SPEC = `
kind: continuous
name: follow
oracle: { model: oracle, mode: whole }
student: { model: student }
training: { steps: 60, shift: 0, optimizer: { kind: adam, learningRate: 0.01 } }
update: { fraction: 0.5 }
gate: { recallDrop: 1, recallFloor: 0, forgetting: 1 } # weights at random know nothing that could be forgotten
`;

/** Of one task: an oracle, and a student of half its size. */
const network = (units: number): ModelSpec =>
  ({
    input: [...INPUT],
    classes: 3,
    layers: [
      { name: "scale", type: "rescaling", scale: 1 / 128, offset: -1 },
      { name: "flat", type: "flatten" },
      { name: "hidden", type: "dense", units, useBias: true },
      { name: "relu", type: "re_lu" },
      { name: "logits", type: "dense", units: 3, useBias: true },
    ],
    cuts: [],
  }) as ModelSpec;

const clock = systemClock();

async function publish(models: ModelStore, name: string, units: number, seed: number): Promise<Model> {
  const spec = network(units);
  const model = openModel(models, name, { clock });
  const parts = layersOfBlocks(spec).map((_, block) => randomBlock(spec, block, seed));
  const { release } = await model.publish(manifestOf(spec, new Date(0).toISOString()), parts);
  await model.promote(release, { by: "test" });
  return model;
}

const stopped = (container: StartedTestContainer) => ({
  container,
  async [Symbol.asyncDispose]() {
    await container.stop({ timeout: 0 });
  },
});

/** Of the updates that this model's updater made live: the newest. */
async function updateOf(model: Model): Promise<number> {
  const changes = await model.history();
  return Math.max(0, ...changes.map(({ reason }) => Number(/^update (\d+)/.exec(reason)?.[1] ?? 0)));
}

async function observationsIn(store: Store): Promise<number> {
  let count = 0;
  for await (const _entry of (await openObservationLog(store, "student")).read()) count += 1;
  return count;
}

const urlOf = (container: StartedTestContainer): string =>
  `http://${container.getHost()}:${container.getMappedPort(HTTP_PORT)}`;

function startEdge({ network: place, nats }: ContainerFleet): Promise<StartedTestContainer> {
  const leaf = `nats://${hostOf(nats)}:${NATS_PORT}`;
  const observing = ["--observe", "--observe-inputs=6000", "--observe-bytes=60000000", `--observe-keep=${KEPT}`];
  // Containers that start take the processors from those that answer: requests may wait for that.
  const serving = ["--bus", leaf, "--http", `0.0.0.0:${HTTP_PORT}`, "--target-ms", "5000"];
  const args = ["serve", "student", ...serving, ...observing, "--follow", `${leaf}?domain=hub`];
  return startKn(place, { name: "edge", image: "native", args });
}

function startLearner(place: Network, hub: StartedTestContainer): Promise<StartedTestContainer> {
  const address = `nats://${hostOf(hub)}:${NATS_PORT}`;
  const stores = ["--bus", address, "--observations", `${address}?domain=edge`, "--runs", "/tmp/runs"];
  const args = ["run", SPEC_FILE, ...stores, "--http", "none", "--probes", `0.0.0.0:${HTTP_PORT}`];
  return startKn(place, { name: "learner", image: "native", args, files: { [SPEC_FILE]: SPEC } });
}

it("the edge answers and observes while the link is cut, follows when it is back, and no request fails", async () => {
  await using uplink = await createNetwork();
  await using hub = await startNats(uplink, HUB, "hub");
  await using site = await startFleet({}, await leafConfig(hostOf(hub)));
  await using cloud = await connectFleet({ address: addressOf(hub), name: "kn test" }, { log: silentLogger });
  const atHub = modelsInStore(cloud.fleet.store);
  await publish(atHub, "oracle", 24, 1);
  await publish(atHub, "student", 12, 2);
  const { store } = site.connected.fleet;
  const student = await publish(modelsInStore(store), "student", 12, 3);
  const happened = async (kind: string): Promise<number> => {
    const events = await readHistory(cloud.fleet.store, "follow");
    return events.filter(({ event }) => event.kind === kind).length;
  };

  await using edge = stopped(await startEdge(site));
  await becomesReady(edge.container);
  await using load = startLoad({
    target: { kind: "http", url: urlOf(edge.container), model: "student" },
    images: randomImages(INPUT, 4_096, 1),
    streams: [{ name: "site", ratePerSecond: RATE_PER_SECOND, timeoutMs: 15_000 }],
    seed: 1,
    durationMs: 1_800_000,
  });
  const until = (isSo: () => Promise<boolean>, what: string): Promise<unknown> =>
    waitFor(isSo, what, LONG_MS, LOOK_MS).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${await logOf(edge.container)}\n${await logOf(learner.container)}`);
    });

  // The site has been alone so far. The learner starts, and has something to send.
  await using learner = stopped(await startLearner(uplink, hub));
  await becomesReady(learner.container);
  await until(async () => (await happened("anchor")) > 0, "the first full update");
  await until(async () => (await observationsIn(store)) > KEPT, "observations at the edge");
  expect([await updateOf(student), await happened("window")]).toEqual([0, 0]);

  await uplink.connect(site.nats);
  await until(async () => (await updateOf(student)) > 0, "an update to be live");
  await until(async () => (await happened("window")) > 0, "a window of observations");

  await uplink.disconnect(site.nats);
  const cutMs = performance.now();
  let [last, sinceMs] = [0, cutMs];
  const isQuiet = async (): Promise<boolean> => {
    const seen = await happened("window");
    if (seen !== last) [last, sinceMs] = [seen, performance.now()];
    return performance.now() - sinceMs >= QUIET_MS;
  };
  await until(isQuiet, "the learner to have followed what it had");
  const [windows, promotions, live] = [await happened("window"), await happened("promotion"), await updateOf(student)];
  // What the student has learned is not right any more.
  await publish(atHub, "oracle", 24, 4);
  let most = 0;
  await until(async () => {
    most = Math.max(most, await observationsIn(store));
    return performance.now() - cutMs >= CUT_MS && most > KEPT;
  }, "the end of the cut");
  expect(most).toBeGreaterThan(KEPT);
  expect(most).toBeLessThanOrEqual(2 * KEPT + 1); // the one with which the oldest go
  expect([await happened("window"), await updateOf(student)]).toEqual([windows, live]);

  await uplink.connect(site.nats);
  await until(async () => (await happened("oracle")) > 0, "labels of the other oracle");
  await until(async () => (await happened("promotion")) > promotions, "a promotion");
  await until(async () => (await updateOf(student)) > live, "a newer update to be live");

  load.stop();
  const { total, texts } = await reportOf(await load.ended);
  expect({ texts, outcomes: total.outcomes }).toEqual({ texts: {}, outcomes: { ok: total.requests } });
  expect(Object.keys(total.releases).length).toBeGreaterThan(2);
  console.log(
    `${total.requests} requests answered, ${most} observations kept in ${CUT_MS / 1_000} s without a link, update ${await updateOf(student)} is live`,
  );
});
