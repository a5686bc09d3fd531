/** Everything that one cell runs on: networks, stream, edge and cloud. */
import type { ComputeWorker } from "../../../src/compute/index.ts";
import { type Oracle, type StudentLab } from "../../../src/actors/learner/index.ts";
import { planWindows } from "../../../src/data/drift/index.ts";
import type { Dataset } from "../../../src/data/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import { openStudentLab } from "../../../src/jobs/kinds/continuous/student-lab.ts";
import type { TensorView } from "../../../src/messages/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import { percent } from "../markdown.ts";
import { createBlindCloud } from "./blind-cloud.ts";
import type { Cloud } from "./cloud.ts";
import type { DriftCell } from "./drift-cell.ts";
import { anchorOf, type DriftScene, openScene, type SceneWindow, stackImages, streamOf } from "./drift-scene.ts";
import { openEdge } from "./edge.ts";
import { driftOf } from "./figures.ts";
import { createTruth, openFollowCloud } from "./follow-cloud.ts";
import { networkOf, oraclePlans, trainedNetwork } from "./networks.ts";
import { runCell } from "./run-cell.ts";
import { type DriftExperiment, type DriftKey, LEAST_DRIFT } from "./settings.ts";
import { openTeachingOracle, type TeachingOracle } from "./teaching-oracle.ts";

export interface CellResources {
  readonly dataset: Dataset;
  readonly worker: ComputeWorker;
  /** Folder of the weights of oracles and students. */
  readonly work: string;
}

/** Rejects with KN_CONFIG when the stream does not drift. */
export async function measureCell(
  experiment: DriftExperiment,
  key: DriftKey,
  { dataset, worker, work }: CellResources,
): Promise<DriftCell> {
  const { schedule, arm, seed } = key;
  const stream = streamOf(experiment, schedule, seed, dataset);
  const { options } = stream;
  const common = { dataset, folder: work, apart: experiment.anchor.test } as const;
  // One oracle for all streams: seeds are of streams and students.
  const domains = oraclePlans({ ...options, seed: 1 }, Object.values(experiment.schedules), dataset.classes);
  const wanted = { ...common, role: "oracle", training: experiment.oracle, plans: domains, seed: 1 } as const;
  const oracleWeights = await trainedNetwork(wanted, worker);
  const plans = planWindows(options, dataset.classes).slice(0, 1);
  const weights = await trainedNetwork(
    { ...common, role: "student", training: experiment.student, plans, seed },
    worker,
  );
  await using oracleLab = await labOf("oracle", experiment, "oracle", seed, worker);
  await using edgeLab = await labOf("edge", experiment, "student", seed, worker);
  await using cloudLab = await labOf("cloud", experiment, "student", seed, worker);
  const scene = await openScene(stream, dataset, {
    oracle: { lab: oracleLab, weights: oracleWeights },
    student: { lab: edgeLab, weights },
  });
  const windows: SceneWindow[] = [];
  for (let window = 0; window < experiment.windows; window += 1) windows.push(await scene.window(window));
  assertDrift(schedule, windows);
  const uniformShare = arm === "random-upload" ? 1 : experiment.link.uniformShare;
  const edge = await openEdge({ experiment, scene, seed, uniformShare, weights }, edgeLab);
  const anchor = anchorOf(experiment, dataset, stream);
  await using teacher = await openTeachingOracle(await networkOf(experiment.oracle), oracleWeights, worker);
  const deps = { scene, windows, anchor, weights, lab: cloudLab, teach: (inputs: TensorView) => teacher.teach(inputs) };
  await using cloud = await openCloud(experiment, key, deps);
  return await runCell(experiment, key, { scene, lab: edgeLab, edge, cloud });
}

interface CloudDeps {
  readonly scene: DriftScene;
  readonly windows: readonly SceneWindow[];
  readonly anchor: ReturnType<typeof anchorOf>;
  readonly weights: NamedTensors;
  readonly lab: StudentLab;
  readonly teach: TeachingOracle["teach"];
}

async function openCloud(
  experiment: DriftExperiment,
  { arm, seed }: DriftKey,
  { scene, windows, anchor, weights, lab, teach }: CloudDeps,
): Promise<Cloud> {
  const { learner, resetEvery } = experiment;
  const { classes, sampleShape } = scene;
  const common = { learner, seed, classes, sampleShape, weights } as const;
  if (arm === "blind" || arm === "batch-norm" || arm === "reset") {
    return createBlindCloud({ ...common, kind: arm, resetEvery }, lab, (inputs) => scene.askOracle(inputs));
  }
  const oracle: Oracle =
    arm === "true-labels"
      ? createTruth(windows, classes)
      : {
          ...(arm === "sections" ? { teach } : {}),
          label: async (inputs) => ({
            version: "1",
            logits: await scene.askOracle(stackImages(inputs, sampleShape)),
          }),
        };
  const { layers } = await networkOf(experiment.student);
  const { faults } = experiment;
  const poison = faults === undefined ? {} : { poison: { ...faults, output: `weights/${layers.at(-1)?.name}/kernel` } };
  return openFollowCloud({ ...common, ...poison }, { lab, oracle, anchor });
}

async function labOf(
  name: string,
  experiment: DriftExperiment,
  role: "oracle" | "student",
  seed: number,
  worker: ComputeWorker,
): Promise<StudentLab> {
  const { learningRate, crossEntropy, logits, shift, rotate } = experiment.learner;
  const network = await networkOf(experiment[role]);
  return openStudentLab(
    {
      ...{ name, network, seed },
      optimizer: { kind: "adam", learningRate },
      learningRate: { peak: learningRate, schedule: "cosine" },
      loss: { crossEntropy, logits },
      augmentation: { flip: false, shift, rotate: [-rotate, rotate] },
    },
    worker,
  );
}

function assertDrift(schedule: string, windows: readonly SceneWindow[]): void {
  const drift = driftOf(windows);
  if (drift >= LEAST_DRIFT) return;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `measure ${schedule}`,
    rule: `the oracle must be ${100 * LEAST_DRIFT} points above the frozen student: else it is no drift`,
    value: percent(drift),
    remedy: "choose a harder domain",
  });
}
