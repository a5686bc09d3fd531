/**
 * The product behind the scenarios: `kn serve` as a process with releases of random weights. Whole: all in one process, the
 * models in a folder. Blocks: a process for each block, the models in the store of a fleet.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { folderModels } from "../../../src/apps/models/index.ts";
import { connectFleet } from "../../../src/apps/connect/connect-fleet.ts";
import { createInferenceUnit, type InferenceUnit } from "../../../src/compute/inference/index.ts";
import { selectBackend } from "../../../src/compute/backend/index.ts";
import type { NamedTensorData } from "../../../src/compute/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { exportModel } from "../../../src/jobs/export-model.ts";
import { type ModelStore, modelsInStore, openModel } from "../../../src/models/index.ts";
import { layersOfBlocks, type ModelSpec, parseSpec, parseTrainingSpec } from "../../../src/run-spec/index.ts";
import type { Bus } from "../../../src/runtime/bus/index.ts";
import { systemClock } from "../../../src/runtime/clock/index.ts";
import { type LocalNatsServer, startLocalNatsServer } from "../../../src/runtime/nats/local-nats-server.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { locateTool, PACKAGE_ROOT } from "../../../setup/index.ts";
import { monotonicMs } from "../../serving/load/index.ts";
import { type KnProcessOptions, START_TIMEOUT_MS, startKn } from "./kn-process.ts";
import { commandOf, cpuSecondsOf, descendants, residentBytesOf } from "./process-tree.ts";
import { manifestOf, randomBlock, randomImages } from "./random-network.ts";
import { pause, sequentialClient } from "./scene-load.ts";
import { startSceneTraining } from "./scene-training.ts";
import { leastOf, tensorsByMetrics, tensorsByStatistics } from "./scene-tensors.ts";
import type { SceneTraining, ServingScene, ServingSceneOptions } from "./serving-scene.ts";

const MODEL = "digits";
const exampleOf = (name: string): string => join(PACKAGE_ROOT, "examples", `${name}.yaml`);
/** What trains beside a served network. */
const TRAINING = exampleOf("mnist-synthetic");
/** Samples of the pool: enough that requests differ, few enough to compute for each release and batch size. */
const IMAGES = 16;
const NOTE = { by: "kn bench" };
/** Of this process as it was started: what it sets for its own computation is not the training's. */
const THREADS_AT_START = process.env["TF_NUM_INTRAOP_THREADS"];

/** Rejects with KN_UNAVAILABLE without nats-server, where it needs one, or when `kn serve` does not come up. */
export async function openKnServe(options: ServingSceneOptions): Promise<ServingScene> {
  const { shape, maxBatch, targetMs, replicas = 1, onOutput = () => undefined } = options;
  const clock = systemClock();
  /** Opened resources, last first (Node 20 has no AsyncDisposableStack). */
  const opened: AsyncDisposable[] = [];
  const use = <T extends AsyncDisposable>(each: T): T => {
    opened.unshift(each);
    return each;
  };
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "knowledgenet-serving-"));
    use({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
    const isShared = shape === "blocks" || options.nats === true;
    const nats = isShared ? use(await startNats(join(folder, "jetstream"))) : undefined;
    const { models, bus } = await openModels(nats?.url, join(folder, "models"), use);
    const model = openModel(models, MODEL, { clock });
    const network = await networkOf(exampleOf(options.network ?? "mnist-synthetic"));
    const blocks = layersOfBlocks(network).length;

    // As the replicas of `kn serve`: the last bits depend on the number of threads. Read when the library is loaded.
    process.env["TF_NUM_INTRAOP_THREADS"] ??= "1";
    await selectBackend("native");
    const unit = createInferenceUnit({ inputShape: network.input, layers: network.layers });
    use({
      async [Symbol.asyncDispose]() {
        unit.dispose();
      },
    });
    /** Weights by release: what `expected` computes with. */
    const released = new Map<number, readonly NamedTensorData[]>();
    let newest: readonly NamedTensorData[] = layersOfBlocks(network).map((_, block) => randomBlock(network, block, 0));
    const images = randomImages(network.input, IMAGES, 1);

    const publish = async (): Promise<number> => {
      const { release } = await model.publish(manifestOf(network, new Date(clock.wallTimeMs()).toISOString()), newest);
      released.set(release, newest);
      return release;
    };
    const first = await publish();
    await model.promote(first, NOTE);
    loadInto(unit, first, newest);

    const args = ["serve", MODEL, "--http", "127.0.0.1:0", "--output", join(folder, "output")];
    if (nats !== undefined) args.push("--bus", nats.url);
    else args.push("--models", join(folder, "models"));
    if (shape === "blocks") args.push("--blocks", "--nodes", "spawn", "--replicas", String(replicas));
    if (maxBatch !== undefined) args.push("--max-batch", String(maxBatch));
    if (targetMs !== undefined) args.push("--target-ms", String(targetMs));
    const ready = /(http:\/\/[^/\s]+)\/v2\/models\//; // where it listens
    const serving: KnProcessOptions = { args, env: process.env, ready, onOutput };
    let server = await startKn(serving);
    use({ [Symbol.asyncDispose]: () => server.stop() });

    let trainings = 0;
    const startTraining = async (natsUrl: string, governor: boolean): Promise<SceneTraining> => {
      trainings += 1;
      const name = `beside-${trainings}`;
      const env = { ...process.env, TF_NUM_INTRAOP_THREADS: THREADS_AT_START };
      const spec = parseTrainingSpec(await readFile(TRAINING, "utf8"), { file: TRAINING });
      return startSceneTraining({ name, file: TRAINING, spec, natsUrl, folder, env, governor, onOutput });
    };

    const scene: ServingScene = {
      model: MODEL,
      get httpUrl() {
        return server.said;
      },
      natsUrl: nats?.url,
      images,
      slices: shape === "blocks" ? blocks : 1,
      publish(seed, block) {
        newest = newest.map((tensors, index) =>
          block === undefined || block === index ? randomBlock(network, index, seed) : tensors,
        );
        return publish();
      },
      async promote(release) {
        await model.promote(release, NOTE);
      },
      async rollback() {
        await model.rollback(NOTE);
      },
      expected(release, batch) {
        const weights = released.get(release);
        if (weights === undefined || batch < 1) return undefined;
        if (!unit.releases().includes(release)) loadInto(unit, release, weights);
        const logits = allLogits(unit, { release, batch, images });
        if (release !== first) unit.drop(release);
        return logits;
      },
      async predict(samples) {
        computeRows(unit, { release: first, images, from: 0, samples });
      },
      replicas: shape === "blocks" ? blocks * replicas : 0,
      async killReplica(replica) {
        const pids = await replicasOf(server.pid);
        const pid = pids[replica % Math.max(1, pids.length)];
        if (pid !== undefined) process.kill(pid, "SIGKILL");
      },
      async restartMs() {
        await server.stop();
        const startedMs = monotonicMs();
        server = await startKn(serving);
        await firstAnswer(scene);
        return monotonicMs() - startedMs;
      },
      residentBytes: () => sumOver(server.pid, residentBytesOf),
      cpuSeconds: () => sumOver(server.pid, cpuSecondsOf),
      tensors: () =>
        leastOf(async () =>
          shape === "blocks" && bus !== undefined
            ? tensorsByStatistics(bus, blocks * replicas)
            : tensorsByMetrics(server.said),
        ),
      async exportKeras(directory) {
        const tensors = Object.assign({}, ...(released.get(first) ?? [])) as NamedTensorData;
        await exportModel(
          { model: network, tensors },
          { name: MODEL, format: "keras-json", directory, classNames: [] },
        );
      },
      ...(nats === undefined ? {} : { startTraining: ({ governor }) => startTraining(nats.url, governor) }),
      [Symbol.asyncDispose]: close,
    };
    await firstAnswer(scene);
    return scene;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Of a training spec; of a distillation its student. */
async function networkOf(file: string): Promise<ModelSpec> {
  const spec = parseSpec(await readFile(file, "utf8"), { file });
  return "student" in spec ? spec.student.model : spec.model;
}

async function startNats(jetstreamDir: string): Promise<LocalNatsServer> {
  const binary = locateTool("nats-server", process.env);
  if (binary !== undefined) return startLocalNatsServer({ binary, jetstreamDir });
  throw unavailable("nats-server must be there", "none found");
}

async function openModels(
  natsUrl: string | undefined,
  directory: string,
  use: <T extends AsyncDisposable>(each: T) => T,
): Promise<{ readonly models: ModelStore; readonly bus: Bus | undefined }> {
  if (natsUrl === undefined)
    return { models: use(folderModels({ directory }, { clock: systemClock() })), bus: undefined };
  const { fleet, bus } = use(await connectFleet({ address: natsUrl, name: "kn bench" }, { log: silentLogger }));
  return { models: use(modelsInStore(fleet.store)), bus };
}

function loadInto(unit: InferenceUnit, release: number, blocks: readonly NamedTensorData[]): void {
  for (const tensors of blocks) unit.load(release, tensors);
  unit.complete(release);
}

interface Computation {
  readonly release: number;
  readonly images: ServingScene["images"];
}

/** Logits of `samples` samples from `from` on, from the pool's start again at its end. */
function computeRows(
  unit: InferenceUnit,
  { release, images, from, samples }: Computation & { readonly from: number; readonly samples: number },
): Float32Array {
  const elements = images.shape.reduce((product, extent) => product * extent, 1);
  const count = images.values.length / elements;
  const values = new Float32Array(samples * elements);
  for (let row = 0; row < samples; row += 1) {
    const image = (from + row) % count;
    values.set(images.values.subarray(image * elements, (image + 1) * elements), row * elements);
  }
  const { output } = unit.infer(release, { dtype: "f32", shape: [samples, ...images.shape], values });
  return output.values as Float32Array;
}

/** Of each sample of the pool, computed `batch` at a time. */
function allLogits(
  unit: InferenceUnit,
  { release, batch, images }: Computation & { readonly batch: number },
): Float32Array {
  const parts: Float32Array[] = [];
  let rows = 0;
  for (; rows < IMAGES; rows += batch) parts.push(computeRows(unit, { release, images, from: rows, samples: batch }));
  const classes = (parts[0]?.length ?? 0) / batch;
  const all = new Float32Array(rows * classes);
  parts.forEach((part, index) => {
    all.set(part, index * part.length);
  });
  return all.subarray(0, IMAGES * classes);
}

/** Over a process and all below it. */
async function sumOver(pid: number, figure: (pid: number) => Promise<number>): Promise<number> {
  const pids = [pid, ...(await descendants(pid))];
  return (await Promise.all(pids.map(figure))).reduce((sum, each) => sum + each, 0);
}

async function replicasOf(pid: number): Promise<number[]> {
  const pids = await descendants(pid);
  const commands = await Promise.all(pids.map(commandOf));
  return pids.filter((_, index) => commands[index]?.includes("replica"));
}

async function firstAnswer(scene: ServingScene): Promise<void> {
  await using client = await sequentialClient(scene);
  const deadlineMs = monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    const answer = await client.ask();
    if (answer.kind === "logits") return;
    if (monotonicMs() > deadlineMs) throw unavailable("it must answer", `${answer.outcome}: ${answer.text}`);
    await pause(5);
  }
}

function unavailable(rule: string, value: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_UNAVAILABLE", { attempt: "serve a network with `kn serve`", rule, value });
}
