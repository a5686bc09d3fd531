/** The whole loop: the learner's follower, as the learner's actor drives it, by rounds of observations. */
import { contentDigest, GATE_RULES, judge } from "../../../src/continuous/index.ts";
import {
  type Anchor,
  type FollowedInput,
  type FollowerOptions,
  type FollowEvent,
  type FollowStep,
  type Oracle,
  startFollower,
  type StudentLab,
} from "../../../src/actors/learner/index.ts";
import type { TensorView } from "../../../src/messages/index.ts";
import type { NamedTensors } from "../../../src/models/index.ts";
import type { Cloud, CloudDecision, CloudUpdate } from "./cloud.ts";
import type { SceneWindow } from "./drift-scene.ts";
import { FIRST_NUMBER, MODEL } from "./edge.ts";
import type { DriftFaults, LearnerSettings } from "./settings.ts";

export interface FollowCloudOptions {
  readonly learner: LearnerSettings;
  readonly seed: number;
  readonly classes: number;
  readonly sampleShape: readonly number[];
  readonly weights: NamedTensors;
  /** The results of some trainings are made useless. */
  readonly poison?: Poison;
}

export interface Poison extends Pick<DriftFaults, "poisoned" | "broken"> {
  /** Name of the weights of the output, [inputs, classes]. */
  readonly output: string;
}

export interface FollowCloudDeps {
  readonly lab: StudentLab;
  readonly oracle: Oracle;
  readonly anchor: Anchor;
}

export async function openFollowCloud(options: FollowCloudOptions, deps: FollowCloudDeps): Promise<Cloud> {
  const counts = { labels: 0, promotions: 0, refusals: 0, rollbacks: 0 };
  const events: string[] = [];
  const decisions: CloudDecision[] = [];
  const oracle: Oracle = {
    ...deps.oracle,
    label(inputs) {
      counts.labels += inputs.length;
      return deps.oracle.label(inputs);
    },
  };
  const poisoned = createPoisoned(options.poison);
  const poisonedLab = poisoned.spoil(deps.lab);
  // Both are of one network; what else runs on this machine must not decide.
  const lab: StudentLab = { ...poisonedLab, compareLatency: () => Promise.resolve({ live: 1, candidate: 1 }) };
  const settings = followerOptions(options);
  const followerDeps = { ...deps, lab, oracle, judge: poisoned.judge };
  const { follower } = await startFollower(settings, followerDeps, { ...options, number: FIRST_NUMBER });
  const { roundObservations } = settings.window;
  let waiting: FollowedInput[] = [];
  let position = 0;
  let offered: Uint8Array | undefined;

  const take = ({ events: decided, updates, offer }: FollowStep, window: number): CloudUpdate[] => {
    offered = offer?.bytes;
    for (const event of decided) {
      poisoned.note(event);
      if (event.kind === "promotion") counts.promotions += 1;
      if (event.kind === "refusal") counts.refusals += 1;
      if (event.kind === "rollback") counts.rollbacks += 1;
      if ((event.kind === "promotion" || event.kind === "refusal") && event.decision !== undefined) {
        const { labels } = event.decision.judgement;
        decisions.push({ verdict: event.kind === "promotion" ? "promote" : "refuse", labels });
      }
      events.push(`${window}: ${textOf(event)}`);
    }
    return updates.map(({ bytes, update }) => ({ kind: update.kind, bytes }));
  };

  return {
    get counts() {
      return { ...counts };
    },
    get offer() {
      return offered;
    },
    get poisonRefused() {
      return poisoned.isFirstRefused;
    },
    events,
    decisions,
    async observe(window, observations) {
      for (const { payload, stratum, comparison } of observations) {
        waiting.push({ position, values: payload, stratum, ...(comparison === undefined ? {} : { comparison }) });
        position += 1;
      }
      const updates: CloudUpdate[] = [];
      while (waiting.length >= roundObservations) {
        const round = waiting.slice(0, roundObservations);
        waiting = waiting.slice(roundObservations);
        updates.push(...take(await follower.observe(round), window));
      }
      return updates;
    },
    endWindow: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function followerOptions({ learner, seed, classes, sampleShape }: FollowCloudOptions): FollowerOptions {
  const { steps, batchSize, fraction, maxBytes, probeShare, rehearsalShare, below, window } = learner;
  const { replayCapacity: replay, recentWindows, sectionSteps } = learner;
  return {
    ...{ model: MODEL, seed, classes, sampleShape, dtype: "u8", window },
    training: {
      steps,
      batchSize,
      rehearsalShare,
      replay,
      recentWindows,
      probeShare,
      below,
      enough: 0.98,
      sectionSteps,
    },
    update: { fraction, coding: { codec: "int8" }, anchorEvery: 20, maxBytes },
    gate: { ...GATE_RULES, ...learner.gate },
    watch: { alpha: 0.01 },
    evidence: learner.evidence,
  };
}

/** The true labels in place of the oracle's, by the content of the live images. */
export function createTruth(windows: readonly SceneWindow[], classes: number): Oracle {
  const labels = new Map<string, number>();
  for (const { live } of windows) {
    const bytes = live.inputs.values.length / live.labels.length;
    for (const [row, label] of live.labels.entries()) {
      labels.set(contentDigest(live.inputs.values.subarray(row * bytes, (row + 1) * bytes) as Uint8Array), label);
    }
  }
  return {
    label(inputs) {
      const logits = new Float32Array(inputs.length * classes);
      for (const [row, input] of inputs.entries()) {
        const label = labels.get(contentDigest(input));
        if (label !== undefined) logits[row * classes + label] = CERTAIN;
      }
      return Promise.resolve({ version: "truth", logits });
    },
  };
}

/** Logit of the true class, against 0: 99.9 % of the softmax of ten classes. */
const CERTAIN = 9;

/** Looks of the gate at a candidate that is promoted by force: before that, figures of the live release are gathered. */
const LOOKS_BEFORE_FORCE = 3;

/** Makes the results of some trainings useless: their answers are those of other classes. */
function createPoisoned(poison: Poison | undefined) {
  let trainings = 0;
  /** Training of the candidate that is on trial. */
  let onTrial = 0;
  let looks = 0;
  let isRolledBack = false;
  const isUseless = (training: number): boolean =>
    poison !== undefined && (training === poison.poisoned || (training >= poison.broken && !isRolledBack));
  const first: { candidate?: number; isRefused?: boolean } = {};
  return {
    /** Whether the gate refused the first one; undefined: it did not judge it. */
    get isFirstRefused() {
      return first.isRefused;
    },
    note(event: FollowEvent): void {
      if (event.kind === "candidate") [onTrial, looks] = [trainings, 0];
      if (event.kind === "candidate" && trainings === poison?.poisoned) first.candidate = event.candidate;
      if (event.kind === "rollback") isRolledBack = true;
      const isDecided = event.kind === "promotion" || event.kind === "refusal";
      if (isDecided && event.candidate === first.candidate) first.isRefused = event.kind === "refusal";
    },
    judge(...given: Parameters<typeof judge>): ReturnType<typeof judge> {
      const judgement = judge(...given);
      if (onTrial !== poison?.broken) return judgement;
      looks += 1;
      return { ...judgement, verdict: looks < LOOKS_BEFORE_FORCE ? "continue" : "promote" };
    },
    spoil(lab: StudentLab): StudentLab {
      return {
        ...lab,
        async train(from, plan) {
          const trained = await lab.train(from, plan);
          if (poison === undefined || plan.focus === undefined) return trained; // a trial
          trainings += 1;
          const kernel = trained.weights[poison.output];
          if (!isUseless(trainings) || kernel === undefined) return trained;
          return { ...trained, weights: { ...trained.weights, [poison.output]: turned(kernel) } };
        },
        [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
      };
    },
  };
}

/** [inputs, classes], each class with thrice the weights of the next one: strong enough to show where a mask sends a part. */
function turned({ shape, values }: TensorView): TensorView {
  const classes = shape.at(-1) ?? 1;
  const moved = Float32Array.from(values, (_, place) => {
    const row = Math.floor(place / classes);
    return 3 * (values[row * classes + ((place + 1) % classes)] as number);
  });
  return { dtype: "f32", shape, values: moved };
}

function textOf(event: FollowEvent): string {
  switch (event.kind) {
    case "window": {
      const { right, labels } = event.agreement;
      return `agrees on ${right} of ${labels}${event.drift.length === 0 ? "" : `; ${event.drift.join(", ")}`}`;
    }
    case "candidate":
      return `candidate ${event.candidate}, ${event.content}, ${event.bytes} bytes${event.loss === undefined ? "" : `, loss ${event.loss.toFixed(3)}`}`;
    case "promotion":
    case "refusal":
      return `${event.kind} of ${event.candidate}: ${event.reason}`;
    case "rollback":
      return `rollback from ${event.from} to ${event.to}`;
    case "anchor":
      return `full update ${event.number}, ${event.bytes} bytes`;
    case "oracle":
      return `oracle ${event.from} to ${event.to}`;
  }
}
