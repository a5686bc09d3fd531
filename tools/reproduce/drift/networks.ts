/**
 * Oracle and student as they are when the stream begins: the oracle from images in all domains of the stream, the student
 * from those of window 0. Trained once, and kept as files.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ComputeWorker, openSection } from "../../../src/compute/index.ts";
import {
  applyDomain,
  type DriftOptions,
  planWindows,
  type Schedule,
  type WindowPlan,
} from "../../../src/data/drift/index.ts";
import { augment, type Dataset, epochOrder, randomDraws } from "../../../src/data/index.ts";
import { modelOf } from "../../../src/jobs/describe-slices.ts";
import { openStudentLab } from "../../../src/jobs/kinds/continuous/student-lab.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../src/messages/checkpoint/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import { type ModelSpec, parseSpec } from "../../../src/run-spec/index.ts";
import { ROOT, say } from "../run-kn.ts";
import type { NetworkTraining } from "./settings.ts";

export interface TrainedFor {
  readonly role: "oracle" | "student";
  readonly training: NetworkTraining;
  readonly seed: number;
  /** Of the windows in whose domains it is trained: an oracle's are those of all streams. */
  readonly plans: readonly WindowPlan[];
  readonly dataset: Dataset;
  /** The last images of the training split, which neither learns from. */
  readonly apart: number;
  /** Where its weights are kept. */
  readonly folder: string;
}

/** The network of an example: of a distillation, its student's. */
export async function networkOf({ spec: file }: NetworkTraining): Promise<ModelSpec> {
  return modelOf(parseSpec(await readFile(join(ROOT, file), "utf8"), { file }));
}

/** Trains it, or reads its weights from the file of an earlier run. */
export async function trainedNetwork(wanted: TrainedFor, worker: ComputeWorker): Promise<NamedTensors> {
  const { role, folder } = wanted;
  const network = await networkOf(wanted.training);
  const file = join(folder, `${role}-${digestOf(wanted, network)}.safetensors`);
  const saved = await readFile(file).catch(() => undefined);
  if (saved !== undefined) return decodeSafetensors(saved).tensors;
  const started = performance.now();
  const tensors = await train(wanted, network, worker);
  await mkdir(folder, { recursive: true });
  await writeFile(file, encodeSafetensors({ metadata: { role }, tensors }));
  say(`${role} trained in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  return tensors;
}

/** The student is the same for all streams that begin alike. */
function digestOf({ role, training, seed, plans, dataset, apart }: TrainedFor, network: ModelSpec): string {
  const content = JSON.stringify([
    role,
    network,
    training,
    seed,
    plans,
    dataset.fingerprint,
    dataset.train.count,
    apart,
  ]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/** Every domain of an experiment, all classes as often as they are. */
export function oraclePlans(options: DriftOptions, schedules: readonly Schedule[], classes: number): WindowPlan[] {
  return schedules.flatMap((schedule) =>
    planWindows({ ...options, schedule }, classes).map(({ domains }) => ({ domains, classShares: undefined })),
  );
}

async function train(
  { role, training, seed, plans, dataset, apart }: TrainedFor,
  network: ModelSpec,
  worker: ComputeWorker,
): Promise<NamedTensors> {
  const { epochs, batchSize, learningRate, shift } = training;
  const known = knownImages(dataset, apart, plans);
  const perEpoch = Math.floor(known.length / batchSize);
  const optimizer = { kind: "adam", learningRate } as const;
  await using lab = await openStudentLab(
    {
      ...{ name: `${role}-${seed}`, network, optimizer, seed },
      learningRate: { peak: learningRate, schedule: "cosine" },
      loss: { crossEntropy: 1 },
    },
    worker,
  );
  const { weights } = await lab.train(await initialWeights(network, seed, worker), {
    steps: epochs * perEpoch,
    batch(step) {
      const epoch = Math.floor((step - 1) / perEpoch);
      const order = epochOrder(known.length, seed, epoch);
      const from = ((step - 1) % perEpoch) * batchSize;
      const images = Array.from(order.subarray(from, from + batchSize), (at) => known[at] as number);
      const { inputs, labels } = imagesIn(images, plans, dataset, [seed, epoch]);
      return {
        inputs: augment(inputs, images, 1 + epoch, seed, { flip: false, shift, views: epochs }),
        labels,
        logits: new Float32Array(batchSize * network.classes),
      };
    },
  });
  return weights;
}

/** Training images of classes that occur. */
function knownImages({ train, classes }: Dataset, apart: number, plans: readonly WindowPlan[]): readonly number[] {
  const shares = plans[0]?.classShares ?? new Array<number>(classes).fill(1);
  const all = Array.from({ length: train.count - apart }, (_, index) => index);
  const { labels } = train.batch(all);
  return all.filter((index) => (shares[labels.values[index] as number] ?? 0) > 0);
}

/** Each in the domain of a window drawn at random. */
function imagesIn(
  images: readonly number[],
  plans: readonly WindowPlan[],
  { train, sampleShape }: Dataset,
  words: readonly number[],
) {
  const [height = 0, width = 0, channels = 0] = sampleShape;
  const { samples, labels } = train.batch(images);
  const size = height * width * channels;
  const values = new Uint8Array(samples.values.length);
  for (const [row, image] of images.entries()) {
    const draws = randomDraws(...words, image);
    const plan = plans[draws.below(plans.length)];
    const domain = pick(plan?.domains ?? [], draws.uniform())?.domain ?? [];
    const pixels = samples.values.subarray(row * size, (row + 1) * size);
    const picture = { height, width, channels, values: Float64Array.from(pixels, (value) => value / 255) };
    const changed = domain.length === 0 ? picture : applyDomain(picture, domain, draws);
    values.set(
      changed.values.map((value) => Math.round(255 * value)),
      row * size,
    );
  }
  const inputs = { dtype: "u8", shape: [images.length, ...sampleShape], values } as const;
  return { inputs, labels: Int32Array.from(labels.values) };
}

function pick(domains: WindowPlan["domains"], uniform: number): WindowPlan["domains"][number] | undefined {
  let left = uniform;
  return domains.find(({ share }) => (left -= share) < 0) ?? domains.at(-1);
}

async function initialWeights(network: ModelSpec, seed: number, worker: ComputeWorker): Promise<NamedTensors> {
  const section = await openSection(worker, "initial", {
    inputShape: network.input,
    layers: network.layers,
    classes: network.classes,
    seed,
    optimizer: { kind: "adam", learningRate: 1e-3 },
    learningRate: { peak: 1e-3, totalSteps: 1 },
    objective: { kind: "logits", crossEntropy: 1 },
    averageDecay: 0,
  });
  try {
    return (await section.snapshot()).tensors;
  } finally {
    await section.dispose();
  }
}
