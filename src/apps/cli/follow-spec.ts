/** `kn run` of a continuous spec: opens the place, the run's folder and the edge, and follows until a signal. */
import { openModel } from "../../models/index.ts";
import { type ContinuousSpec, parseContinuousSpec } from "../../run-spec/index.ts";
import { fileStore } from "../../runtime/store/index.ts";
import { machineName } from "../connect/machine-name.ts";
import { awaitReleases } from "../follow/await-releases.ts";
import { type FollowFolder, openFollowFolder } from "../follow/follow-folder.ts";
import { type FollowProbes, openFollowProbes } from "../follow/follow-probes.ts";
import { followRun, type FollowRunDeps } from "../follow/follow-run.ts";
import { serveEdge } from "../follow/serve-edge.ts";
import { signerIn, trustedKeys } from "../models/index.ts";
import { followedStore } from "../serve/follow-learner.ts";
import { openServingPlace } from "../serve/serving-place.ts";
import { awaitFleet } from "./await-fleet.ts";
import { useThreads } from "./commands/serve.ts";
import type { ExecuteDeps } from "./execute-run.ts";
import { EXIT_OK } from "./exit.ts";
import { type FollowPlace, followPlace, type FollowPlaceOptions, spawnNodes, storeOf } from "./follow-place.ts";
import { parseRunName } from "./options.ts";
import { type LogForm, openServiceLog } from "./service-log.ts";

export interface FollowOptions extends FollowPlaceOptions {
  readonly runs: string;
  readonly name?: string;
  readonly set: readonly string[];
  /** Number of the fleet's nodes to wait for. @default those that are there */
  readonly minNodes?: number;
  /** Where the student answers over HTTP; "none": the edge is elsewhere. */
  readonly http: string;
  /** Store with the observations of an edge that has its own; undefined: they are in the cloud's. */
  readonly observations?: string;
  /** Private key that signs updates, and releases made of them. */
  readonly key?: string;
  /** Where probes and metrics answer; undefined: nowhere, and a model without a live release ends it. */
  readonly probes?: string;
  /** @default text */
  readonly log?: LogForm;
}

export interface FollowHooks extends Pick<FollowRunDeps, "onEvent" | "onStarted"> {
  /** The student answers at this URL. */
  readonly onServing?: (url: string) => void;
  /** Ends it, as a signal of the process does. */
  readonly signal?: AbortSignal;
}

const NOWHERE = "none";

/** @returns the exit code. Rejects with KN_CONFIG before anything is started, with what ended it otherwise. */
export async function followSpec(
  text: string,
  file: string,
  options: FollowOptions,
  deps: ExecuteDeps,
  hooks: FollowHooks = {},
): Promise<number> {
  const { env, terminal } = deps;
  const spec = parseContinuousSpec(text, { file, set: [...options.set] });
  const where = followPlace(options);
  const name = options.name === undefined ? spec.name : parseRunName(options.name);
  const folder = await openFollowFolder(options.runs, name, spec);
  useThreads(1, env);
  const leaving = new AbortController();
  const leave = (): void => {
    leaving.abort(new Error("asked to leave"));
  };
  const forget = terminal.onSignal(() => {
    if (leaving.signal.aborted) terminal.exit(1); // a second signal ends at once
    leave();
  });
  hooks.signal?.addEventListener("abort", leave);
  try {
    await followIn(folder, { where, spec, options, hooks }, deps, leaving.signal);
  } catch (error) {
    if (error !== leaving.signal.reason) throw error;
  } finally {
    forget();
  }
  return EXIT_OK;
}

interface FollowedRun {
  readonly spec: ContinuousSpec;
  readonly options: FollowOptions;
  readonly hooks: FollowHooks;
}

/** Opens its place. Resolves when it has left after `signal`, or rejects with its reason. */
async function followIn(
  folder: FollowFolder,
  { where, ...followed }: FollowedRun & { readonly where: FollowPlace },
  deps: ExecuteDeps,
  signal: AbortSignal,
): Promise<void> {
  const { clock, connectFleet: connect } = deps;
  const { spec, options } = followed;
  const { models } = where;
  const { log, say } = openServiceLog(options.log ?? "text", folder.name, deps);
  await using probes =
    options.probes === undefined ? undefined : await openFollowProbes(options.probes, spec.student.model);
  const onObstacle = (reason: string): void => {
    say(`waiting: ${reason}`);
    probes?.wait(reason);
  };
  // A server of its own ends with it: what lasts is in the run's folder.
  await using own = where.bus === undefined ? await fileStore({ directory: folder.storePath, clock }) : undefined;
  await using nodes = await spawnNodes(where, folder, options, deps);
  const bus = where.bus ?? nodes?.address;
  await using place = await openServingPlace(
    { bus, models, name: `kn run ${folder.name}`, signal },
    { clock, log, connect, onObstacle },
  );
  if (place === undefined) return;
  if (where.replicas === "fleet" && place.fleet !== undefined) {
    await awaitFleet({ own: nodes, minNodes: options.minNodes, say, signal }, place.fleet, clock);
  }
  const store = own ?? storeOf(place);
  const shown = { log, say, probes, onObstacle };
  await followAt({ place, store, replicas: where.replicas }, { ...followed, ...shown, run: folder.name }, deps, signal);
}

interface ShownRun extends FollowedRun, Pick<FollowRunDeps, "log" | "say"> {
  readonly run: string;
  readonly probes: FollowProbes | undefined;
  readonly onObstacle: (reason: string) => void;
}

async function followAt(
  { place, store, replicas }: Pick<FollowRunDeps, "place" | "store"> & Pick<FollowPlace, "replicas">,
  { run, spec, options, hooks, probes, onObstacle, ...shown }: ShownRun,
  { clock, env, softwareVersion }: ExecuteDeps,
  signal: AbortSignal,
): Promise<void> {
  await using site =
    options.observations === undefined
      ? undefined
      : await followedStore(options.observations, { fleet: undefined, name: `kn run ${run}` }, clock);
  const trusted = await trustedKeys([], env);
  const signer = options.key === undefined ? undefined : await signerIn(options.key);
  const begins = [spec.student, spec.oracle].map(({ model }) => openModel(place.models, model, { clock, trusted }));
  if (probes !== undefined && !(await awaitReleases(begins, { clock, onObstacle }, signal))) return;
  const { http, backend, data } = options;
  const shared = { spec, backend, softwareVersion, host: machineName(env), replicas };
  const deps = { ...shown, place, store, clock, trusted, signer };
  const edge = (ending: AbortSignal): Promise<void> =>
    serveEdge({ ...shared, http }, { ...deps, onServing: hooks.onServing }, ending);
  await followRun(
    { ...shared, run, data },
    {
      ...{ ...deps, site, env, onEvent: hooks.onEvent },
      onStarted(learner) {
        probes?.follow(learner, () => place.bus.services);
        hooks.onStarted?.(learner);
      },
      serveEdge: http === NOWHERE ? undefined : edge,
    },
    signal,
  );
}
