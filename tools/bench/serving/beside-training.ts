/** Serving beside training on the same cores, with the governor on and off, against each alone; in turns of one run. */
import { monotonicMs, runLoad } from "../../serving/load/index.ts";
import { capacityOf, loadOptionsOf, medianRatio, pause } from "./scene-load.ts";
import type { OpenServingScene, SceneTraining, ServingScene } from "./serving-scene.ts";

export interface BesideTrainingRound {
  readonly servingAloneP99Ms: number;
  readonly trainingAlonePerSecond: number;
  readonly governed: Together;
  readonly ungoverned: Together;
}

interface Together {
  readonly servingP99Ms: number;
  readonly notAnswered: number;
  readonly trainingPerSecond: number;
}

export interface BesideTraining {
  readonly ratePerSecond: number;
  readonly rounds: readonly BesideTrainingRound[];
  /** Medians over rounds, of those alone. */
  readonly servingP99Ratio: { readonly governed: number; readonly ungoverned: number };
  readonly trainingRatio: { readonly governed: number; readonly ungoverned: number };
}

export interface BesideTrainingOptions {
  readonly rounds: number;
  readonly durationMs: number;
  /** Of serving's capacity alone. */
  readonly loadShare: number;
  readonly seed: number;
}

/** Both on one bus, over which a gateway tells training to yield. */
const SCENE = { shape: "whole", nats: true } as const;
/** From a training's first step until it is at its rate, ms. */
const TRAINING_STARTS_MS = 1_000;

/** @returns undefined for a scene without training */
export async function measureBesideTraining(
  open: OpenServingScene,
  { rounds, durationMs, loadShare, seed }: BesideTrainingOptions,
): Promise<BesideTraining | undefined> {
  await using scene = await open(SCENE);
  if (scene.startTraining === undefined) return undefined;
  const { startTraining } = scene;
  const ratePerSecond = loadShare * (await capacityOf(scene, { durationMs })).perSecond;
  const serve = (round: number) =>
    runLoad(
      loadOptionsOf(scene, {
        streams: [{ name: "interactive", ratePerSecond, timeoutMs: 5_000 }],
        seed: seed + round,
        durationMs,
        warmUpMs: durationMs / 5,
      }),
    );
  const together = async (round: number, governor: boolean): Promise<Together> => {
    await using training = await startTraining({ governor });
    await untilItSteps(training);
    const [{ total }, trainingPerSecond] = await Promise.all([serve(round), stepsPerSecond(training, durationMs)]);
    return { servingP99Ms: total.latencyMs.p99, notAnswered: total.failed + total.refused, trainingPerSecond };
  };
  const measured: BesideTrainingRound[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const servingAloneP99Ms = (await serve(round)).total.latencyMs.p99;
    measured.push({
      servingAloneP99Ms,
      trainingAlonePerSecond: await trainAlone(scene, durationMs),
      governed: await together(round, true),
      ungoverned: await together(round, false),
    });
  }
  const ratios = (pair: (round: BesideTrainingRound, way: "governed" | "ungoverned") => readonly [number, number]) => ({
    governed: medianRatio(measured.map((round) => pair(round, "governed"))),
    ungoverned: medianRatio(measured.map((round) => pair(round, "ungoverned"))),
  });
  return {
    ratePerSecond,
    rounds: measured,
    servingP99Ratio: ratios((round, way) => [round[way].servingP99Ms, round.servingAloneP99Ms]),
    trainingRatio: ratios((round, way) => [round[way].trainingPerSecond, round.trainingAlonePerSecond]),
  };
}

async function trainAlone(scene: ServingScene, durationMs: number): Promise<number> {
  const training = await scene.startTraining?.({ governor: true });
  if (training === undefined) return Number.NaN;
  try {
    await untilItSteps(training);
    return await stepsPerSecond(training, durationMs);
  } finally {
    await training[Symbol.asyncDispose]();
  }
}

async function untilItSteps(training: SceneTraining): Promise<void> {
  const deadlineMs = monotonicMs() + 60_000;
  while (training.steps() === 0) {
    if (monotonicMs() > deadlineMs) throw new Error("the training did not begin");
    await pause(100);
  }
  await pause(TRAINING_STARTS_MS);
}

async function stepsPerSecond(training: SceneTraining, durationMs: number): Promise<number> {
  // Medians of quarter seconds would hide that it yields: the whole time counts.
  const [fromMs, from] = [monotonicMs(), training.steps()];
  await pause(durationMs);
  return ((training.steps() - from) * 1_000) / (monotonicMs() - fromMs);
}
