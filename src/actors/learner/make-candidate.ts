/**
 * A candidate from the live release. Batch norm's statistics alone are tried first, for they are small to send; then the
 * network trains on what was observed and on what it is to remember, within the mask that its update sends.
 */
import type { ReplayMemory } from "../../continuous/index.ts";
import { randomDraws } from "../../data/index.ts";
import { rowsOf, stack, type TensorView } from "../../messages/index.ts";
import type { NamedTensors } from "../../models/index.ts";
import {
  batchNormStatistics,
  type BuiltUpdate,
  buildUpdate,
  movementBetween,
  type Selected,
  selectIndices,
  type UpdateRequest,
} from "../../models/updates/index.ts";
import { classesOf } from "./answers.ts";
import type { CandidateMade } from "./follow-events.ts";
import type { FollowerDeps, FollowerOptions } from "./follower-options.ts";
import type { NumberedNetwork } from "./follower-state.ts";
import type { Rehearsal } from "./rehearsal.ts";
import type { StudentLab, TrainPlan } from "./student-lab.ts";

export interface MakeCandidate {
  readonly live: NumberedNetwork;
  /** To go on from, within the places where it differs from what is live; undefined: from what is live. */
  readonly undecided: NamedTensors | undefined;
  readonly number: number;
  readonly window: number;
  /** Counted over the run: draws of two candidates differ. */
  readonly candidate: number;
  readonly replay: ReplayMemory;
  readonly rehearsal: Rehearsal | undefined;
  /** Whose sections teach; undefined: none has answered yet. */
  readonly oracle: string | undefined;
}

export interface MadeCandidate {
  readonly built: BuiltUpdate;
  readonly facts: Pick<CandidateMade, "content" | "bytes" | "values" | "fraction" | "loss" | "samples">;
}

/** Key of weights that are held for one measurement. */
const TRIAL = -1;
/** Inputs of one batch of a recalibration. */
const CALIBRATION_BATCH = 64;
/** A mask below this share is no training: refused when the spec is read. */
const LEAST_FRACTION = 0.001;
/** Steps of one candidate at most, for draws of their own. */
const MOST_STEPS = 1_000_000;
const REHEARSE = 0x72656865;

export async function makeCandidate(
  request: MakeCandidate,
  options: FollowerOptions,
  deps: Pick<FollowerDeps, "lab" | "oracle" | "signer">,
): Promise<MadeCandidate> {
  const { live, number, replay } = request;
  const { signer } = deps;
  const base = { number: live.number, tensors: live.weights };
  const common = { model: options.model, number, base, ...(signer === undefined ? {} : { signer }) };
  const samples = replay.recent.length + replay.past.reduce((sum, { length }) => sum + length, 0);
  const made = (built: BuiltUpdate, facts: Pick<MadeCandidate["facts"], "content" | "fraction" | "loss">) => {
    const { totalBytes: bytes, values } = built.sizes;
    return { built, facts: { ...facts, bytes, values, samples } };
  };
  const calibrated = await calibratedWeights(request, options, deps.lab);
  if (calibrated !== undefined) {
    const built = buildUpdate({ ...common, trained: calibrated, content: { kind: "batch-norm" } });
    return made(built, { content: "batch-norm", fraction: 0 });
  }
  const { coding, fraction: wanted } = options.update;
  if (wanted === 1) {
    const { weights: trained, loss } = await train(undefined, request, options, deps);
    return made(buildUpdate({ ...common, trained, content: { kind: "full", coding } }), {
      ...{ content: "full", fraction: 1, loss },
    });
  }
  const { indices, fraction } = await maskOf(common, request, options, deps.lab);
  const { weights: trained, loss } = await train(indices, request, options, deps);
  const built = buildUpdate({ ...common, trained, content: { kind: "masked", indices, coding } });
  return made(built, { content: "masked", fraction, loss });
}

/** Batch norm's statistics anew, where that is enough. */
async function calibratedWeights(
  { live, replay, window }: MakeCandidate,
  options: FollowerOptions,
  lab: StudentLab,
): Promise<NamedTensors | undefined> {
  if (batchNormStatistics(live.weights).length === 0) return undefined;
  const calibrated = await lab.recalibrate(live.weights, calibrationBatches(replay, window, options));
  const agreement = await agreementOnWindow(calibrated, replay, window, options, lab);
  return agreement >= options.training.enough ? calibrated : undefined;
}

/** By the oracle's sections, then as a whole by its logits. @param focus places that change; undefined: all */
async function train(
  focus: Selected | undefined,
  request: MakeCandidate,
  options: FollowerOptions,
  { lab, oracle: { teach } }: Pick<FollowerDeps, "lab" | "oracle">,
): Promise<{ readonly weights: NamedTensors; readonly loss: number }> {
  const { steps, sectionSteps } = options.training;
  const { live, undecided, oracle: version } = request;
  const plan = { ...(focus === undefined ? {} : { focus }), batch: trainingBatches(request, options) };
  const from = undecided ?? live.weights;
  if (sectionSteps === 0 || teach === undefined || version === undefined) return lab.train(from, { ...plan, steps });
  const taught = await lab.trainSections(from, {
    ...{ ...plan, steps: sectionSteps },
    teach: (inputs) => teach(inputs, version),
  });
  return lab.train(taught, { ...plan, steps });
}

/** The places of the update: those of the undecided candidate, else those that a trial moves most. */
async function maskOf(
  common: Omit<UpdateRequest, "content" | "trained"> & Required<Pick<UpdateRequest, "base">>,
  request: MakeCandidate,
  options: FollowerOptions,
  lab: StudentLab,
): Promise<{ readonly indices: Selected; readonly fraction: number }> {
  const { live, undecided } = request;
  const statistics = batchNormStatistics(live.weights);
  if (undecided !== undefined) return maskBetween(live.weights, undecided, statistics);
  const steps = Math.max(1, Math.round(options.training.steps * options.training.probeShare));
  const { weights: trained } = await lab.train(live.weights, { steps, batch: trainingBatches(request, options) });
  return fittingMask({ ...common, trained }, statistics, options);
}

/** The places of an update from one to the other: one that stays within them is not larger. */
function maskBetween(
  live: NamedTensors,
  trained: NamedTensors,
  statistics: readonly string[],
): { readonly indices: Selected; readonly fraction: number } {
  const indices: Record<string, Uint32Array> = {};
  let [selected, all] = [0, 0];
  for (const [name, { values }] of Object.entries(live)) {
    if (statistics.includes(name)) continue;
    const other = floats(trained[name]?.values);
    const places = [...values.keys()].filter((place) => values[place] !== other[place]);
    if (places.length > 0) indices[name] = Uint32Array.from(places);
    selected += places.length;
    all += values.length;
  }
  return { indices, fraction: selected / all };
}

/** The mask of what moved most, of the wanted share, or of one whose update is small enough. */
function fittingMask(
  request: Omit<UpdateRequest, "content"> & Required<Pick<UpdateRequest, "base">>,
  statistics: readonly string[],
  { update: { fraction: wanted, coding, maxBytes } }: Pick<FollowerOptions, "update">,
): { readonly indices: Selected; readonly fraction: number } {
  const { base, trained } = request;
  const movements = Object.fromEntries(
    Object.entries(base.tensors)
      .filter(([name]) => !statistics.includes(name))
      .map(([name, { values }]) => [name, movementBetween(floats(values), floats(trained[name]?.values))]),
  );
  for (let fraction = wanted; ; ) {
    const indices = selectIndices(movements, fraction);
    const { bytes } = buildUpdate({ ...request, content: { kind: "masked", indices, coding } });
    if (bytes.length <= maxBytes || fraction <= LEAST_FRACTION) return { indices, fraction };
    fraction = Math.max(LEAST_FRACTION, fraction * Math.min(0.9, maxBytes / bytes.length));
  }
}

function floats(values: TensorView["values"] | undefined): Float32Array {
  return values instanceof Float32Array ? values : new Float32Array(0);
}

function calibrationBatches(replay: ReplayMemory, window: number, options: FollowerOptions): TensorView[] {
  const recent = replay.recent.filter((sample) => sample.window === window);
  return Array.from({ length: Math.ceil(recent.length / CALIBRATION_BATCH) }, (_, index) =>
    stack(recent.slice(index * CALIBRATION_BATCH, (index + 1) * CALIBRATION_BATCH), options),
  );
}

/** Share of the window's samples on which `weights` agree with the oracle; nothing of them was trained on. */
async function agreementOnWindow(
  weights: NamedTensors,
  replay: ReplayMemory,
  window: number,
  options: FollowerOptions,
  lab: FollowerDeps["lab"],
): Promise<number> {
  const recent = replay.recent.filter((sample) => sample.window === window);
  if (recent.length === 0) return 0;
  await lab.hold(TRIAL, weights);
  try {
    const { logits } = await lab.answer(TRIAL, stack(recent, options));
    const right = classesOf(logits, options.classes).filter(
      (answer, row) => answer === classesOf(recent[row]?.softLabel ?? new Float32Array(0), options.classes)[0],
    );
    return right.length / recent.length;
  } finally {
    await lab.drop(TRIAL);
  }
}

/** Batches by step: of the replay memory, and of what is rehearsed. */
function trainingBatches(
  { candidate, replay, rehearsal }: Pick<MakeCandidate, "candidate" | "replay" | "rehearsal">,
  options: FollowerOptions,
): TrainPlan["batch"] {
  const { seed, classes, training } = options;
  const rehearsed = rehearsal === undefined ? 0 : Math.round(training.batchSize * training.rehearsalShare);
  const known = rehearsal?.inputs.shape[0] ?? 0;
  return (step) => {
    const draw = candidate * MOST_STEPS + step;
    const samples = replay.draw(training.batchSize - rehearsed, draw);
    const draws = randomDraws(seed, REHEARSE, candidate, step);
    const old = rehearsal === undefined ? [] : Array.from({ length: rehearsed }, () => draws.below(known));
    const rows = [
      ...samples,
      ...old.map((row) => ({
        values: rowsOf((rehearsal as NonNullable<typeof rehearsal>).inputs, row, row + 1).values as Uint8Array,
        softLabel: (rehearsal as NonNullable<typeof rehearsal>).logits.slice(row * classes, (row + 1) * classes),
      })),
    ];
    const logits = new Float32Array(rows.length * classes);
    for (const [row, { softLabel }] of rows.entries()) logits.set(softLabel, row * classes);
    return { inputs: stack(rows, options), logits, labels: Int32Array.from(classesOf(logits, classes)) };
  };
}
