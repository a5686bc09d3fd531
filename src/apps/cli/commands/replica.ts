/** `kn replica MODEL`: computes a served model, or one of its blocks, for the gateways of a fleet, until a signal ends it. */
import process from "node:process";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BackendPreference } from "../../../compute/index.ts";
import { openModel } from "../../../models/index.ts";
import { abortOf } from "../../../fleet/abort.ts";
import { servingSpecSchema } from "../../../run-spec/index.ts";
import { machineName } from "../../connect/machine-name.ts";
import { trustedKeys } from "../../models/index.ts";
import { serveNodeHttp } from "../../node/node-http.ts";
import { createServingMetrics } from "../../serve/serving-metrics.ts";
import { runOfModel } from "../../serve/replica-process.ts";
import { ownIndex, startReplica } from "../../serve/run-replica.ts";
import { openServingPlace } from "../../serve/serving-place.ts";
import { fleetAddress, withFleetBus } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { type LogForm, logFormOption, openServiceLog } from "../service-log.ts";
import { parseWholeNumber, threadsOption, useThreads } from "./serve.ts";

interface ReplicaOptions {
  readonly bus?: string;
  readonly models?: string;
  readonly slice: readonly [slice: number, slices: number];
  readonly copy?: number;
  readonly backend: BackendPreference;
  readonly threads: number;
  readonly maxBatch: number;
  readonly trust: readonly string[];
  readonly http?: string;
  readonly log: LogForm;
  readonly exitWithStdin: boolean;
}

export function registerReplica(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(
    program
      .command("replica")
      .argument("<model>", "name of a published model")
      .description("compute a model, or one of its blocks, for `kn serve --nodes none` of the same fleet"),
    deps,
  )
    .option("--models <folder>", "folder of the models (default: the store of --bus)")
    .option("--slice <index/number>", "which of the network's blocks: 0/4 to 3/4; 0/1: the whole", parseSlice, [0, 1])
    .addOption(
      new Option("--copy <number>", "number among the replicas of its slice").argParser(parseWholeNumber).hideHelp(),
    )
    .addOption(
      new Option("--backend <name>", "where the mathematics runs")
        .choices(["auto", "native", "wasm", "cpu"])
        .default("auto"),
    )
    .addOption(threadsOption())
    .option("--max-batch <samples>", "largest batch of the gateways", parseWholeNumber, 32)
    .option("--trust <file...>", "public keys of which a release must be signed by one (default: KN_TRUSTED_KEYS)", [])
    .option("--http <host:port>", "serve /healthz, /readyz, /startupz and /metrics there")
    .addOption(logFormOption())
    .addOption(
      new Option("--exit-with-stdin", "leave when stdin ends: when the parent is gone").default(false).hideHelp(),
    )
    .action(async (model: string, options: ReplicaOptions) => {
      await runReplica(model, options, deps);
      exit(EXIT_OK);
    });
}

async function runReplica(name: string, options: ReplicaOptions, deps: ExecuteDeps): Promise<void> {
  const { terminal, clock, env, softwareVersion, connectFleet } = deps;
  const { slice: place, copy = ownIndex(), backend, maxBatch, http: address } = options;
  const [slice, slices] = place;
  useThreads(options.threads, env);
  const run = runOfModel(name);
  const spec = servingSpecSchema.parse({ kind: "serving", name, model: name, batch: { maxSamples: maxBatch } });
  const { log, say } = openServiceLog(options.log, run, deps);
  const leaving = new AbortController();
  const { signal } = leaving;
  const leave = (): void => {
    leaving.abort(new Error("asked to leave"));
  };
  const forget = terminal.onSignal(leave);
  if (options.exitWithStdin) process.stdin.once("end", leave).once("error", leave).resume();
  let obstacle = "the fleet is not joined yet";
  let unready: () => readonly string[] = () => [obstacle];
  const metrics = createServingMetrics(name);
  try {
    await using _http =
      address === undefined
        ? undefined
        : await serveNodeHttp(
            { address },
            {
              starting: () => [],
              unready: () => Promise.resolve(signal.aborted ? ["the replica leaves"] : unready()),
              metrics,
            },
          );
    await using at = await openServingPlace(
      { bus: options.bus ?? fleetAddress(deps), models: options.models, name: `kn replica ${name}`, signal },
      {
        clock,
        log,
        connect: connectFleet,
        onObstacle(reason) {
          say(`waiting: ${reason}`);
          obstacle = reason;
        },
      },
    );
    if (at === undefined) return;
    metrics.showReplicas(() => at.bus.services);
    const model = openModel(at.models, name, { clock, trusted: await trustedKeys(options.trust, env) });
    await using replica = await startReplica(
      { run, spec, softwareVersion, host: machineName(env), metadata: {}, slice, slices, copy, backend },
      { bus: at.bus, clock, log, model },
    );
    say(`${replica.id} of ${name} at ${at.bus.description}`);
    unready = () => (replica.state.startsWith("ready") ? [] : [`the replica is ${replica.state}`]);
    const outcome = await Promise.race([replica.ended, abortOf(signal)]);
    if (outcome instanceof Error) throw outcome;
  } finally {
    forget();
    // An open pipe keeps the process alive, and the parent waits for its end.
    if (options.exitWithStdin) process.stdin.destroy();
  }
}

/** @throws InvalidArgumentError */
function parseSlice(text: string): readonly [number, number] {
  const [, slice, slices] = /^(\d{1,2})\/(\d{1,2})$/.exec(text) ?? [];
  if (slices !== undefined && Number(slice) < Number(slices)) return [Number(slice), Number(slices)];
  throw new InvalidArgumentError("it must be index/number, for example 0/4");
}
