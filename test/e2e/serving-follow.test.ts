/**
 * `kn serve --follow` on a site whose NATS server is a leaf node of the learner's: requests go on while updates come over the
 * link, and while the link is cut; what is live in the end has the trainer's digest.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";
import { connectClient } from "../../src/client/index.ts";
import { connectFleet } from "../../src/apps/connect/connect-fleet.ts";
import {
  type Model,
  modelsInStore,
  type NamedTensors,
  newKeyPair,
  openModel,
  readSigner,
  type Signer,
} from "../../src/models/index.ts";
import {
  type BuiltUpdate,
  buildUpdate,
  digestOfTensors,
  openUpdateShelf,
  type UpdateContent,
} from "../../src/models/updates/index.ts";
import { layersOfBlocks, type ModelSpec, parseTrainingSpec } from "../../src/run-spec/index.ts";
import { systemClock } from "../../src/runtime/clock/index.ts";
import { silentLogger } from "../../src/runtime/telemetry/index.ts";
import { startKn } from "../../tools/bench/serving/kn-process.ts";
import { manifestOf, randomBlock, randomImages } from "../../tools/bench/serving/random-network.ts";
import { reportOf, startLoad } from "../../tools/serving/load/index.ts";
import { describeWithNats, startLeafPair } from "../support/nats-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { moved } from "../unit/models/updates/update-scene.ts";
import { waitFor } from "../support/wait-for.ts";

const MODEL = "digits";
const SPEC = "examples/mnist-synthetic.yaml";
const UPDATES = 10;
const CUT_AFTER = 5;
/** Weights of each update: one of a hundred. */
const SHARE = 100;
const LIMIT_MS = 60_000;

/** A learner whose weights move by some noise. */
function learnerOf(network: ModelSpec) {
  const blocks = layersOfBlocks(network).map((_, block) => randomBlock(network, block, 1));
  let tensors = Object.assign({}, ...blocks) as NamedTensors;
  let number = 0;
  const build = (trained: NamedTensors, content: UpdateContent, signer?: Signer): BuiltUpdate => {
    const base = { number: number - 1, tensors };
    const signing = signer === undefined ? {} : { signer };
    const built = buildUpdate({ model: MODEL, number, base, trained, content, ...signing });
    tensors = built.tensors;
    return built;
  };
  const sparse = (name: string): Uint32Array =>
    Uint32Array.from({ length: Math.ceil((tensors[name]?.values.length ?? 0) / SHARE) }, (_, index) => index * SHARE);
  return {
    blocks,
    digest: () => digestOfTensors(tensors),
    anchor(signer?: Signer): BuiltUpdate {
      number += 1;
      return build(tensors, { kind: "full" }, signer);
    },
    next(signer?: Signer): BuiltUpdate {
      number += 1;
      const kernels = Object.keys(tensors).filter((name) => name.endsWith("/kernel"));
      const indices = Object.fromEntries(kernels.map((name) => [name, sparse(name)]));
      return build(moved(tensors, 0.01, number), { kind: "masked", coding: { codec: "int8" }, indices }, signer);
    },
  };
}

async function liveDigest(model: Model): Promise<string | undefined> {
  const { live } = await model.live();
  if (live === undefined) return undefined;
  const release = await model.release(live);
  const parts = await Promise.all(release.digests.map((_, block) => model.loadPart(release, block)));
  return digestOfTensors(Object.assign({}, ...parts) as NamedTensors);
}

/** A learner at the hub, a site with a release of its first weights. */
async function scene() {
  const pair = await startLeafPair();
  const connect = (port: number) =>
    connectFleet({ address: `nats://127.0.0.1:${port}`, name: "kn test" }, { log: silentLogger });
  const cloud = await connect(pair.hub.port);
  const site = await connect(pair.leaf.port);
  const { model: network } = parseTrainingSpec(await readFile(SPEC, "utf8"), { file: SPEC });
  const learner = learnerOf(network);
  const shelf = await openUpdateShelf(cloud.fleet.store, MODEL);
  const model = openModel(modelsInStore(site.fleet.store), MODEL, { clock: systemClock() });
  const first = await model.publish(manifestOf(network, new Date().toISOString()), learner.blocks);
  await model.promote(first.release, { by: "test" });
  const caughtUp = (): Promise<unknown> =>
    waitFor(async () => (await liveDigest(model)) === learner.digest(), "the update", LIMIT_MS, 50);
  return {
    ...{ pair, cloud, site, network, learner, shelf, model, caughtUp, bus: `nats://127.0.0.1:${pair.leaf.port}` },
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await cloud[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

describeWithNats("kn serve --follow", () => {
  it(`makes ${UPDATES} updates live under load, the link cut for some of them, and no request fails`, async () => {
    await using at = await scene();
    const { pair, cloud, network, learner, shelf, model, caughtUp, bus } = at;
    const server = await startKn({
      args: [
        "serve",
        MODEL,
        "--http",
        "127.0.0.1:0",
        "--bus",
        bus,
        "--follow",
        `${bus}?domain=hub`,
        "--target-ms",
        "5000",
      ],
      env: process.env,
      ready: /(http:\/\/[^/\s]+)\/v2\/models\//,
      onOutput: () => undefined,
    });
    await using _server = { [Symbol.asyncDispose]: () => server.stop() };
    const isReady = async (): Promise<boolean> => (await fetch(`${server.said}/v2/health/ready`)).status === 200;
    await waitFor(isReady, "it answers", LIMIT_MS, 50);

    await using load = startLoad({
      target: { kind: "http", url: server.said, model: MODEL },
      images: randomImages(network.input, 16, 1),
      streams: [{ name: "site", ratePerSecond: 50, timeoutMs: 10_000 }],
      seed: 1,
      durationMs: 600_000,
    });
    await using client = await connectClient({ url: server.said, model: MODEL });
    const image = new Float32Array(784);
    /** The gateway answers by what is live: that the record of it says so is not enough. */
    const answers = (): Promise<unknown> =>
      waitFor(
        async () => (await client.infer(image)).release === (await model.live()).live,
        "an answer by what is live",
        LIMIT_MS,
        50,
      );
    const anchor = learner.anchor();
    await shelf.put(anchor);
    await caughtUp();
    await answers();
    for (let update = 1; update <= UPDATES; update += 1) {
      if (update === CUT_AFTER) pair.uplink.cut();
      const before = await liveDigest(model);
      const built = learner.next();
      expect(built.bytes.length).toBeLessThan(anchor.bytes.length / 50);
      await shelf.put(built);
      if (update < CUT_AFTER || update > CUT_AFTER + 2) {
        if (update > CUT_AFTER) pair.uplink.mend();
        await caughtUp();
        await answers();
      } else expect(await liveDigest(model)).toBe(before);
    }
    load.stop();
    const report = await reportOf(await load.ended);
    expect(report.total.outcomes).toEqual({ ok: report.total.requests });
    // How many releases the load met depends on its pace; that each answered is waited for above.
    expect(Object.keys(report.total.releases).length).toBeGreaterThan(1);

    const metrics = await (await fetch(`${server.said}/metrics`)).text();
    expect(metrics).toContain(`kn_update_number{model="${MODEL}"} ${UPDATES + 1}`);
    const [, ...changes] = await model.history();
    expect(changes.map(({ by }) => by)).toEqual(changes.map(() => "kn-updater"));
    // What the site publishes stays there: only the updates came over the link.
    expect(await (await cloud.fleet.store.blobs("kn-artifacts")).list()).toEqual([]);
  });
});

describeWithNats("kn follow", () => {
  it("makes updates of a trusted learner live, as releases that the site signs", async () => {
    await using keys = await temporaryFolder();
    await using at = await scene();
    const { learner, shelf, model, caughtUp, bus } = at;
    const [own, site] = [newKeyPair(), newKeyPair()];
    const fileOf = async (name: string, pem: string): Promise<string> => {
      await writeFile(join(keys.path, name), pem);
      return join(keys.path, name);
    };
    const trust = [await fileOf("learner.pub", own.publicPem), await fileOf("site.pub", site.publicPem)];
    const key = await fileOf("site", site.privatePem);
    const signer = readSigner(site.privatePem, "site");
    const signing = openModel(modelsInStore(at.site.fleet.store), MODEL, { clock: systemClock(), signer });
    const signed = await signing.publish(manifestOf(at.network, new Date().toISOString()), learner.blocks);
    await model.promote(signed.release, { by: "test" });
    await shelf.put(learner.anchor(readSigner(own.privatePem, "learner")));
    const follower = await startKn({
      args: ["follow", MODEL, "--bus", bus, "--from", `${bus}?domain=hub`, "--trust", ...trust, "--key", key],
      env: process.env,
      ready: /(updater-\d+) of digits at /,
      onOutput: () => undefined,
    });
    await using _follower = { [Symbol.asyncDispose]: () => follower.stop() };
    await shelf.put(learner.next(readSigner(own.privatePem, "learner")));
    await caughtUp();
    const { live = 0 } = await model.live();
    expect((await model.release(live)).signature).toMatchObject({ kind: "signed", keyId: site.keyId });
  });
});
