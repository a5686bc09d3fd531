/**
 * A continuous run: the oracle and the learner (the cloud), and, unless it is elsewhere, the served student with its observer
 * and its updater (the edge). All of it is in this process, but for replicas that have another place. It ends with `signal`, and goes on where it was when it is started again.
 */
import type { FollowEvent } from "../../actors/learner/index.ts";
import { newestOnSite } from "../../actors/updater/index.ts";
import type { BackendPreference } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { abortOf } from "../../fleet/abort.ts";
import { createLearnerSite } from "../../jobs/kinds/continuous/create-learner.ts";
import { assertTeaches, boundariesOf, servedOracle } from "../../jobs/kinds/continuous/served-oracle.ts";
import { openObservationLog } from "../../models/observations/index.ts";
import { openModel, type Signer, type TrustedKey } from "../../models/index.ts";
import { createSupervisor } from "../../runtime/actor/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Store } from "../../runtime/store/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ContinuousSpec } from "../../run-spec/index.ts";
import type { FollowedStore } from "../serve/follow-learner.ts";
import type { ServingPlace } from "../serve/serving-place.ts";
import type { ReplicaPlace } from "../serve/start-replicas.ts";
import { lineOfEvent } from "./follow-lines.ts";
import { loadAnchor } from "./load-anchor.ts";
import { siteObservations } from "./site-observations.ts";
import { startOracle } from "./start-oracle.ts";

export interface FollowRunOptions {
  readonly run: string;
  readonly spec: ContinuousSpec;
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  readonly host: string;
  /** Where the replicas of the oracle are. */
  readonly replicas: ReplicaPlace;
  /** Folder of the data from the command line. */
  readonly data: string | undefined;
}

export interface FollowRunDeps {
  readonly place: ServingPlace;
  /** Of the cloud. */
  readonly store: Store;
  /** Has the observations, in a store of its own; @default they are in the cloud's */
  readonly site?: Pick<FollowedStore, "open"> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
  readonly trusted: readonly TrustedKey[];
  readonly signer?: Signer | undefined;
  /** Receives lines for the operator. */
  readonly say: (line: string) => void;
  readonly onEvent?: ((event: FollowEvent) => void) | undefined;
  /** The learner runs. @param learner its state as in its chart */
  readonly onStarted?: ((learner: { readonly state: string }) => void) | undefined;
  /** Runs the edge until the signal; absent: it is elsewhere. Rejects with what ended it otherwise. */
  readonly serveEdge?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

/** Resolves when it has left after `signal`. Rejects with what ended it otherwise, KN_CONFIG before anything is started. */
export async function followRun(options: FollowRunOptions, deps: FollowRunDeps, signal: AbortSignal): Promise<void> {
  const { run, spec, backend, softwareVersion, host, replicas, data } = options;
  const { place, store, clock, log, env, trusted, signer, say } = deps;
  const student = openModel(place.models, spec.student.model, { clock, trusted });
  const oracleModel = openModel(place.models, spec.oracle.model, { clock, trusted });
  const release = await liveRelease(student);
  const taughtBy = await liveRelease(oracleModel);
  const { network, image } = release.manifest;
  const dtype = spec.student.input ?? (image === undefined ? "f32" : "u8");
  const shape = {
    ...{ sampleShape: network.input, classes: network.classes, dtype },
    boundaries: spec.training.sections === undefined ? undefined : boundariesOf(network),
  };
  assertTeaches(oracleModel.name, taughtBy.manifest.network, shape);
  const anchor = await loadAnchor(spec, network, { data, env });
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const actorDeps = { bus: place.bus, clock, log };

  await using oracle = await startOracle(
    { spec, backend, softwareVersion, host, replicas, isShared: place.isShared },
    { ...actorDeps, model: oracleModel, fleet: place.fleet, say },
    both,
  );
  await using site = await createLearnerSite(
    { run, spec, backend, softwareVersion, release, dtype },
    {
      ...{ ...actorDeps, store, model: student },
      observations:
        deps.site === undefined
          ? await openObservationLog(store, spec.student.model)
          : siteObservations(deps.site, spec.student.model),
      oracle: servedOracle(shape, {
        ...{ ...oracle, clock, signal: both },
        onWaiting: (reason) => {
          say(`waiting for the oracle: ${reason}`);
        },
      }),
      seenOnSite: () => newestOnSite(place.models, spec.student.model),
      ...(anchor === undefined ? {} : { anchor }),
      ...(signer === undefined ? {} : { signer }),
      onEvent(event) {
        say(lineOfEvent(event));
        deps.onEvent?.(event);
      },
    },
  );
  const supervisor = createSupervisor({ isPatient: true }, { ...actorDeps, factory: site.create });
  await using _learner = {
    async [Symbol.asyncDispose]() {
      ending.abort(new Error("asked to leave"));
      await supervisor.stop();
    },
  };
  await supervisor.start();
  say(`${run}: ${spec.student.model} follows ${spec.oracle.model}`);
  deps.onStarted?.({
    get state() {
      return supervisor.actor.state;
    },
  });
  const edge = deps.serveEdge?.(both);
  const ended = [oracle.ended, supervisor.ended].map(failed);
  const outcome = await Promise.race([abortOf(signal), ...ended, ...(edge === undefined ? [] : [edge.then(unasked)])]);
  ending.abort(new Error("asked to leave"));
  await edge;
  if (outcome instanceof Error) throw outcome;

  async function failed(end: Promise<void | Error>): Promise<Error> {
    return (await end) ?? unasked();
  }
  function unasked(): Error {
    return new KnowledgeNetError("KN_FENCED", {
      attempt: `go on as ${run}`,
      rule: "nobody else may save, send updates or compute under the names of its actors",
      value: "one was replaced; the lines before say by what",
      remedy: `end the other process, or begin anew: kn rm ${run}`,
    });
  }
}

/** Rejects with KN_CONFIG when none is. */
async function liveRelease(model: ReturnType<typeof openModel>) {
  const { live } = await model.live();
  if (live !== undefined) return model.release(live);
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `follow with ${model.name}`,
    rule: "a release of it must be live",
    value: "none",
    remedy: `kn publish RUN --model ${model.name} --promote`,
  });
}
