/** `kn run` of a continuous spec: opens the place, the run's folder and the edge, and follows until a signal. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { modelsInStore, openModel } from "../../models/index.ts";
import { type ContinuousSpec, parseContinuousSpec, type ServingSpec, servingSpecSchema } from "../../run-spec/index.ts";
import { fileStore, type Store } from "../../runtime/store/index.ts";
import { machineName } from "../connect/machine-name.ts";
import { isServerAddress } from "../connect/bus-address.ts";
import { awaitReleases } from "../follow/await-releases.ts";
import { openFollowFolder } from "../follow/follow-folder.ts";
import { openFollowProbes } from "../follow/follow-probes.ts";
import { followRun, type FollowRunDeps } from "../follow/follow-run.ts";
import { DEFAULT_MODELS_FOLDER, signerIn, trustedKeys } from "../models/index.ts";
import { followedStore, startUpdater } from "../serve/follow-learner.ts";
import { runOfModel } from "../serve/replica-process.ts";
import { serveModel } from "../serve/serve-model.ts";
import { openServingFront } from "../serve/serving-front.ts";
import { createServingMetrics } from "../serve/serving-metrics.ts";
import { openServingPlace, type ServingPlace } from "../serve/serving-place.ts";
import { useThreads } from "./commands/serve.ts";
import type { ExecuteDeps, ExecuteOptions } from "./execute-run.ts";
import { EXIT_OK } from "./exit.ts";
import { parseRunName } from "./options.ts";
import { type LogForm, openServiceLog } from "./service-log.ts";

export interface FollowOptions extends ExecuteOptions {
  readonly runs: string;
  readonly name?: string;
  readonly set: readonly string[];
  readonly nodes: string;
  /** Folder of the models; undefined: the fleet's store, or the default folder. */
  readonly models?: string;
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

/** How long requests under way may take when it leaves, ms. */
const GRACE_MS = 3_000;
const NOWHERE = "none";

export async function followSpec(
  text: string,
  file: string,
  options: FollowOptions,
  deps: ExecuteDeps,
  hooks: FollowHooks = {},
): Promise<number> {
  const { clock, env, terminal, softwareVersion, connectFleet } = deps;
  const spec = parseContinuousSpec(text, { file, set: [...options.set] });
  if (options.nodes !== "here") throw elsewhere(options.nodes);
  const name = options.name === undefined ? spec.name : parseRunName(options.name);
  const folder = await openFollowFolder(options.runs, name, spec);
  useThreads(1, env);
  const { log, say } = openServiceLog(options.log ?? "text", name, deps);
  const leaving = new AbortController();
  const forget = terminal.onSignal(() => {
    if (leaving.signal.aborted) terminal.exit(1); // a second signal ends at once
    leaving.abort(new Error("asked to leave"));
  });
  hooks.signal?.addEventListener("abort", () => {
    leaving.abort(new Error("asked to leave"));
  });
  try {
    await using probes =
      options.probes === undefined ? undefined : await openFollowProbes(options.probes, spec.student.model);
    const onObstacle = (reason: string): void => {
      say(`waiting: ${reason}`);
      probes?.wait(reason);
    };
    const bus = isServerAddress(options.bus) ? options.bus : undefined;
    const models = options.models ?? (bus === undefined ? DEFAULT_MODELS_FOLDER : undefined);
    await using place = await openServingPlace(
      { bus, models, name: `kn run ${name}`, signal: leaving.signal },
      { clock, log, connect: connectFleet, onObstacle },
    );
    if (place === undefined) return EXIT_OK;
    await using cloud = await cloudStore(place, folder.storePath, deps);
    const { store } = cloud;
    await using site =
      options.observations === undefined
        ? undefined
        : await followedStore(options.observations, { fleet: undefined, name: `kn run ${name}` }, clock);
    const trusted = await trustedKeys([], env);
    const signer = options.key === undefined ? undefined : await signerIn(options.key);
    const begins = [spec.student, spec.oracle].map(({ model }) => openModel(place.models, model, { clock, trusted }));
    if (probes !== undefined && !(await awaitReleases(begins, { clock, onObstacle }, leaving.signal))) return EXIT_OK;
    await followRun(
      {
        ...{ run: name, spec, backend: options.backend, softwareVersion, host: machineName(env) },
        data: options.data,
      },
      {
        ...{ place, store, site, clock, log, env, trusted, signer, say, onEvent: hooks.onEvent },
        onStarted(learner) {
          probes?.follow(learner, () => place.bus.services);
          hooks.onStarted?.(learner);
        },
        serveEdge:
          options.http === NOWHERE
            ? undefined
            : (signal) => serveEdge(spec, options, { place, store, log, say, trusted, signer, hooks }, deps, signal),
      },
      leaving.signal,
    );
    return EXIT_OK;
  } finally {
    forget();
  }
}

/** That of the fleet, or the run's folder. */
async function cloudStore(
  { fleet }: ServingPlace,
  directory: string,
  { clock }: ExecuteDeps,
): Promise<AsyncDisposable & { readonly store: Store }> {
  if (fleet !== undefined) return { store: fleet.store, [Symbol.asyncDispose]: () => Promise.resolve() };
  const store = await fileStore({ directory, clock });
  return { store, [Symbol.asyncDispose]: () => store.close() };
}

/** The served student with its observer and its updater. */
async function serveEdge(
  spec: ContinuousSpec,
  { http, backend }: FollowOptions,
  given: Pick<FollowRunDeps, "store" | "log" | "say" | "trusted" | "signer"> & {
    readonly place: ServingPlace;
    readonly hooks: FollowHooks;
  },
  { clock, env, softwareVersion }: ExecuteDeps,
  signal: AbortSignal,
): Promise<void> {
  const { place, store, log, say, trusted, signer, hooks } = given;
  const { student, observe } = spec;
  const serving: ServingSpec = servingSpecSchema.parse({
    ...{ kind: "serving", name: student.model, model: student.model, observe },
  });
  const run = runOfModel(student.model);
  const metrics = createServingMetrics(student.model);
  await using front = await openServingFront(
    {
      ...{ address: http, model: student.model },
      ...{ maxBatch: serving.batch.maxSamples, targetMs: serving.latency.targetMs },
    },
    { metrics, clock, log, version: softwareVersion },
  );
  hooks.onServing?.(`http://${front.address}`);
  const model = openModel(place.models, student.model, { clock, trusted, ...(signer === undefined ? {} : { signer }) });
  const from = {
    description: store.description,
    open: () => Promise.resolve(store),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await serveModel(
    {
      ...{ run, spec: serving, backend, softwareVersion, host: machineName(env), replicas: "here" },
      ...{ isShared: place.isShared, noticeMs: 0, graceMs: GRACE_MS },
    },
    {
      ...{ bus: place.bus, fleet: place.fleet, clock, log, model, front, metrics, say },
      // In one process the edge's store is the run's own, which is open.
      observations: modelsInStore(store),
      follow: () =>
        startUpdater(
          { run, softwareVersion, isShared: place.isShared, trusted },
          { bus: place.bus, models: place.models, clock, log, model, from, random: () => Math.random() },
        ),
    },
    signal,
  );
}

function elsewhere(nodes: string): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: "run a continuous spec",
    rule: "--nodes must be here: the loop is one process, and the edge is `kn serve MODEL --observe --follow` on its own site",
    value: nodes,
    remedy: "leave --nodes out; with --bus and --http none this process is the cloud alone",
  });
}
