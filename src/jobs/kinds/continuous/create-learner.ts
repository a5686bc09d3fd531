/** Makes the learner of a continuous run from its spec, with a compute worker of its own. */
import {
  type Anchor,
  cacheLabels,
  type ComputingOracle,
  createLearnerActor,
  type FollowEvent,
  openLearnerMemory,
  resumeFollower,
  startFollower,
} from "../../../actors/learner/index.ts";
import type { BackendPreference } from "../../../compute/index.ts";
import type { Model, ModelRelease, NamedTensors, Signer } from "../../../models/index.ts";
import type { ObservationLog } from "../../../models/observations/index.ts";
import { openUpdateShelf } from "../../../models/updates/index.ts";
import type { ActorFactory } from "../../../runtime/actor/index.ts";
import type { Bus } from "../../../runtime/bus/index.ts";
import type { Clock } from "../../../runtime/clock/index.ts";
import type { Store } from "../../../runtime/store/index.ts";
import type { Logger } from "../../../runtime/telemetry/index.ts";
import { type ContinuousSpec, LEARNER, layersOfBlocks } from "../../../run-spec/index.ts";
import { createComputeSite, type StartWorker } from "../../compute-site.ts";
import { createWorkerBoundActor } from "../../worker-bound-actor.ts";
import { followerOptionsOf } from "./follower-options.ts";
import { openStudentLab } from "./student-lab.ts";

export interface CreateLearnerOptions {
  readonly run: string;
  readonly spec: ContinuousSpec;
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  /** Release that the student begins with, and which says what its network is. */
  readonly release: ModelRelease;
  /** Of the observations. */
  readonly dtype: "u8" | "f32";
}

export interface CreateLearnerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the cloud: state, labels, history and updates. */
  readonly store: Store;
  readonly model: Pick<Model, "loadPart">;
  readonly observations: Pick<ObservationLog, "read">;
  readonly oracle: ComputingOracle;
  /** Newest number that a site has seen, of the updates of other learners. @default 0 */
  readonly seenOnSite?: () => Promise<number>;
  readonly anchor?: Anchor;
  readonly signer?: Signer;
  readonly onEvent?: (event: FollowEvent) => void;
  readonly startWorker?: StartWorker;
}

export interface LearnerSite extends AsyncDisposable {
  /** Makes an incarnation of the learner, which goes on from what the one before has saved. */
  readonly create: ActorFactory;
}

export const FOLLOW_HISTORY_PREFIX = "follow.";

/** Name of the log of what a continuous run has decided. */
export function historyOf(run: string): string {
  return `${FOLLOW_HISTORY_PREFIX}${run}`;
}

/** Rejects with KN_CONFIG when the spec does not suit the network. */
export async function createLearnerSite(
  { run, spec, backend, softwareVersion, release, dtype }: CreateLearnerOptions,
  deps: CreateLearnerDeps,
): Promise<LearnerSite> {
  const { store, model, observations, bus, clock, log, signer, anchor, onEvent } = deps;
  const { network } = release.manifest;
  const weights = await allWeights(release, model);
  const parameters = Object.values(weights).reduce((sum, { values }) => sum + values.length, 0);
  const follower = followerOptionsOf(spec, network, { dtype, parameters });
  const compute = createComputeSite(backend, deps.startWorker);
  const [shelf, history, oracle] = await Promise.all([
    openUpdateShelf(store, spec.student.model),
    store.log(historyOf(run)),
    cacheLabels(deps.oracle, store),
  ]);
  const memory = await openLearnerMemory(store, run, spec.student.model);
  const { optimizer, schedule, warmup, crossEntropy, logits, shift, rotate, sections } = spec.training;
  let incarnations = 0;

  const create: ActorFactory = () => {
    incarnations += 1;
    const name = `learner-${incarnations}`;
    const actor = createLearnerActor(
      {
        ...{ run, id: LEARNER, fence: 0, softwareVersion, follower },
        metadata: { model: spec.student.model, oracle: spec.oracle.model },
      },
      {
        ...{ bus, clock, memory, observations, shelf, history },
        log: log.child({ actor: LEARNER }),
        labels: () => oracle.counts,
        ...(onEvent === undefined ? {} : { onEvent }),
        async openFollower(saved) {
          const lab = await openStudentLab(
            {
              ...{ name, network, optimizer, seed: spec.seed },
              learningRate: { peak: optimizer.learningRate, schedule, warmup },
              loss: { crossEntropy, logits },
              ...(sections === undefined ? {} : { hint: sections.hint }),
              ...(dtype === "u8" && network.input.length === 3 ? { augmentation: { flip: false, shift, rotate } } : {}),
            },
            await compute.worker(),
          );
          const followerDeps = {
            ...{ lab, oracle },
            ...(anchor === undefined ? {} : { anchor }),
            ...(signer === undefined ? {} : { signer }),
          };
          const close = { [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
          if (saved !== undefined) {
            return { follower: await resumeFollower(follower, followerDeps, saved.state), ...close };
          }
          // After those of an earlier run: devices take no number twice.
          const [shelved, seen] = [(await shelf.newest())?.number ?? 0, (await deps.seenOnSite?.()) ?? 0];
          const number = Math.max(shelved, seen) + 1;
          return { ...(await startFollower(follower, followerDeps, { weights, number })), ...close };
        },
      },
    );
    return createWorkerBoundActor(actor, compute);
  };
  return { create, [Symbol.asyncDispose]: () => compute.close() };
}

/** Of all blocks, by name. Rejects as `Model.loadPart`. */
export async function allWeights(release: ModelRelease, model: Pick<Model, "loadPart">): Promise<NamedTensors> {
  const parts = layersOfBlocks(release.manifest.network).map((_, block) => model.loadPart(release, block));
  return Object.assign({}, ...(await Promise.all(parts))) as NamedTensors;
}
