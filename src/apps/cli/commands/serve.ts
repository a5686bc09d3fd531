/** `kn serve MODEL`: answers requests for inference over HTTP and on the bus, until a signal ends it. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BackendPreference } from "../../../compute/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { Fleet } from "../../../fleet/fleet.ts";
import { modelsInStore, openModel } from "../../../models/index.ts";
import { type ServingSpec, servingSpecSchema } from "../../../run-spec/index.ts";
import type { Clock } from "../../../runtime/clock/index.ts";
import { type KeptServer, keepServer } from "../../connect/kept-server.ts";
import { machineName } from "../../connect/machine-name.ts";
import { DEFAULT_MODELS_FOLDER, signerIn, trustedKeys } from "../../models/index.ts";
import { assertSiteKey, type FollowedStore, followedStore, startUpdater } from "../../serve/follow-learner.ts";
import { loadRedaction } from "../../serve/load-redaction.ts";
import { type ReplicaProcessOptions, runOfModel } from "../../serve/replica-process.ts";
import { serveModel, type ServeModelOptions } from "../../serve/serve-model.ts";
import { openServingFront } from "../../serve/serving-front.ts";
import { createServingMetrics } from "../../serve/serving-metrics.ts";
import { openServingPlace } from "../../serve/serving-place.ts";
import { assertOnFleet } from "../../serve/start-replicas.ts";
import { optionalFleetAddress, optionalFleetBus } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { shadowOption } from "../model-options.ts";
import { addObserveOptions, type ObserveOptions, observeSectionOf } from "../observe-options.ts";
import { type LogForm, logFormOption, openServiceLog } from "../service-log.ts";
import { natsServerBinary } from "../../connect/nats-server-binary.ts";

interface ServeOptions extends ObserveOptions {
  readonly bus?: string | true;
  readonly models?: string;
  readonly http: string;
  readonly blocks: boolean;
  readonly replicas: number;
  readonly nodes: string;
  readonly place?: string;
  readonly backend: BackendPreference;
  readonly threads: number;
  readonly maxBatch: number;
  readonly targetMs: number;
  readonly timeoutMs: number;
  readonly trust: readonly string[];
  readonly follow?: string | true;
  readonly shadow?: number;
  readonly key?: string;
  readonly noticeMs: number;
  readonly log: LogForm;
  readonly output: string;
}

/** How long requests under way may take when it leaves, ms: the longest default time limit, and a half more. */
const GRACE_MS = 3_000;

export function registerServe(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  const command = program
    .command("serve")
    .argument("<model>", "name of a published model")
    .description(
      "answer requests for inference: HTTP (Open Inference Protocol) and kn.v1.infer.<model> on a fleet's bus",
    )
    .addOption(optionalFleetBus("serve on a fleet's bus, with the models of its store"))
    .option("--models <folder>", `folder of the models (default: ${DEFAULT_MODELS_FOLDER}, or the store of --bus)`)
    .option("--http <host:port>", "where HTTP listens; port 0 takes a free one", "127.0.0.1:8080")
    .option("--blocks", "a pipeline of the network's blocks instead of the whole network in each replica", false)
    .option("--replicas <number>", "replicas of the network, or of each block", parseWholeNumber, 1)
    .option(
      "--nodes <where>",
      "replicas `here` in this process, `spawn`ed as processes, on the `fleet`'s nodes, or `none`: run `kn replica`",
      "here",
    )
    .option("--place <node or label=value>", "with --nodes fleet: which nodes host the replicas")
    .addOption(
      new Option("--backend <name>", "where the mathematics runs")
        .choices(["auto", "native", "wasm", "cpu"])
        .default("auto"),
    )
    .addOption(threadsOption())
    .option("--max-batch <samples>", "samples in one batch and in one request, at most 256", parseWholeNumber, 32)
    .option("--target-ms <ms>", "refuse at once what would wait longer", parseWholeNumber, 100)
    .option("--timeout-ms <ms>", "time limit of a request that names none", parseWholeNumber, 2_000)
    .option("--trust <file...>", "public keys of which a release must be signed by one (default: KN_TRUSTED_KEYS)", [])
    .option(
      "--follow [address]",
      "make a learner's updates live: from the store of --bus, or of nats://host:port?domain=hub (kn-updater)",
    )
    .addOption(
      shadowOption(
        "with --follow: share of the requests that a candidate computes beside the live release (default: 100)",
      ),
    )
    .option("--key <file>", "with --follow and --trust: this site's private key; it signs the releases of updates")
    .option("--notice-ms <ms>", "on SIGTERM: how long `ready` fails before connections close", parseWholeNumber, 0)
    .addOption(logFormOption())
    .option("--output <folder>", "with --nodes spawn: output of the replica processes", "serve");
  addObserveOptions(command).action(async (model: string, options: ServeOptions) => {
    await serve(model, options, deps);
    exit(EXIT_OK);
  });
}

async function serve(name: string, options: ServeOptions, deps: ExecuteDeps): Promise<void> {
  const { terminal, clock, env, softwareVersion, connectFleet } = deps;
  const spec = specOf(name, options);
  if (options.follow === undefined && options.shadow !== undefined) throw followsNothing(options.shadow);
  useThreads(options.threads, env);
  const run = runOfModel(name);
  const redact = options.redact === undefined ? undefined : await loadRedaction(options.redact);
  const { log, say } = openServiceLog(options.log, run, deps);
  const leaving = new AbortController();
  const forget = terminal.onSignal(() => {
    if (leaving.signal.aborted) terminal.exit(1); // a second signal ends at once
    leaving.abort(new Error("asked to leave"));
  });
  try {
    const given = optionalFleetAddress(options.bus, deps);
    const isSpawning = options.nodes === "spawn";
    // Processes of their own meet on a server: the fleet's, or a private one.
    await using server = isSpawning && given === undefined ? await privateServer(options.output, deps) : undefined;
    const bus = given ?? server?.url;
    const models = options.models ?? (given === undefined ? DEFAULT_MODELS_FOLDER : undefined);
    const metrics = createServingMetrics(name);
    await using front = await openServingFront(
      { address: options.http, model: name, maxBatch: options.maxBatch, targetMs: options.targetMs },
      { metrics, clock, log, version: softwareVersion },
    );
    const onObstacle = (reason: string): void => {
      say(`waiting: ${reason}`);
      front.wait(reason);
    };
    await using place = await openServingPlace(
      { bus, models, name: `kn serve ${name}`, signal: leaving.signal },
      { clock, log, connect: connectFleet, onObstacle },
    );
    if (place === undefined) return;
    const trusted = await trustedKeys(options.trust, env);
    const signer = options.key === undefined ? {} : { signer: await signerIn(options.key) };
    const model = openModel(place.models, name, { clock, trusted, ...signer });
    // A private server ends with this process: no learner puts anything there.
    const shared = given === undefined ? undefined : place.fleet;
    await using from = await followed(options, shared, { name: `kn serve ${name}`, clock });
    if (from !== undefined) assertSiteKey(signer.signer, trusted);
    const updates = { run, softwareVersion, isShared: place.isShared, trusted, shadowPercent: options.shadow };
    const follow = from && (() => startUpdater(updates, { ...place, clock, log, model, from, random: Math.random }));
    await serveModel(
      {
        run,
        spec,
        backend: options.backend,
        softwareVersion,
        host: machineName(env),
        replicas: replicasOf(options, { address: bus ?? "", models, env }),
        isShared: place.isShared,
        noticeMs: options.noticeMs,
        graceMs: GRACE_MS,
      },
      {
        ...{ bus: place.bus, fleet: place.fleet, clock, log, model, front, metrics, say, redact, follow },
        // Of the fleet where it is the user's: a private server ends with this process.
        observations:
          given === undefined || place.fleet === undefined ? place.models : modelsInStore(place.fleet.store),
      },
      leaving.signal,
    );
  } finally {
    forget();
  }
}

function followed(
  { follow }: ServeOptions,
  fleet: Fleet | undefined,
  { name, clock }: { readonly name: string; readonly clock: Clock },
): Promise<FollowedStore> | undefined {
  if (follow === undefined) return undefined;
  return followedStore(follow === true ? undefined : follow, { fleet, name }, clock);
}

function followsNothing(percent: number): KnowledgeNetError {
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: "compute a learner's candidates",
    rule: "--shadow must come with --follow",
    value: `--shadow ${percent} alone`,
    remedy: "of a release of your own: kn promote MODEL RELEASE --shadow PERCENT",
  });
}

function replicasOf(
  { nodes, output, backend }: ServeOptions,
  shared: Pick<ReplicaProcessOptions, "address" | "models" | "env">,
): ServeModelOptions["replicas"] {
  if (nodes === "here" || nodes === "none") return nodes;
  if (nodes === "fleet") {
    assertOnFleet({ bus: shared.address === "" ? undefined : shared.address, models: shared.models });
    return nodes;
  }
  if (nodes === "spawn") return { ...shared, folder: output, backend };
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "place the replicas",
    rule: "--nodes must be `here`, `spawn`, `fleet` or `none`",
    value: nodes,
    remedy: "for example --nodes spawn --replicas 2",
  });
}

function specOf(model: string, options: ServeOptions): ServingSpec {
  const { blocks, replicas, maxBatch, targetMs, timeoutMs, place } = options;
  const observe = observeSectionOf(options);
  const parsed = servingSpecSchema.safeParse({
    kind: "serving",
    name: model,
    model,
    mode: blocks ? "blocks" : "whole",
    replicas,
    batch: { maxSamples: maxBatch, bulkSamples: Math.max(1, Math.min(8, maxBatch)) },
    latency: { targetMs, timeoutMs },
    ...(place === undefined ? {} : { placement: { replica: place } }),
    ...(observe === undefined ? {} : { observe }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `serve ${model}`,
    rule: issue?.message ?? "its options must be valid",
    value: issue?.path.join(".") ?? "",
    remedy: "kn serve --help",
  });
}

async function privateServer(folder: string, { env, clock }: ExecuteDeps): Promise<KeptServer> {
  const binary = natsServerBinary("for the replicas", env);
  await mkdir(folder, { recursive: true });
  return await keepServer({ binary, jetstreamDir: join(folder, "jetstream") }, { clock });
}

/**
 * `--threads` of a process that computes inference. With one thread for a replica, and a replica for each
 * core, an answer's bits do not depend on the number of cores (docs/results/serving.md).
 */
export function threadsOption(): Option {
  return new Option("--threads <number>", "threads of one batch (native backend)")
    .argParser(parseWholeNumber)
    .default(1);
}

/** To be called before a compute worker starts: libtensorflow reads it when it is loaded. */
export function useThreads(threads: number, env: NodeJS.ProcessEnv): void {
  env["TF_NUM_INTRAOP_THREADS"] ??= String(threads);
}

/** @throws InvalidArgumentError, which commander shows with the option's name. */
export function parseWholeNumber(text: string): number {
  const count = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(count) && count >= 0) return count;
  throw new InvalidArgumentError("it must be a whole number, 0 or more");
}
