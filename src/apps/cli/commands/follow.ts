/** `kn follow MODEL`: makes a learner's updates live on this site, in a process of its own, until a signal ends it. */
import type { Command } from "commander";
import { abortOf } from "../../../fleet/abort.ts";
import { openModel } from "../../../models/index.ts";
import { signerIn, trustedKeys } from "../../models/index.ts";
import { serveNodeHttp } from "../../node/node-http.ts";
import { assertSiteKey, followedStore, startUpdater } from "../../serve/follow-learner.ts";
import { runOfModel } from "../../serve/replica-process.ts";
import { createServingMetrics } from "../../serve/serving-metrics.ts";
import { openServingPlace } from "../../serve/serving-place.ts";
import { fleetAddress, withFleetBus } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { shadowOption } from "../model-options.ts";
import { type LogForm, logFormOption, openServiceLog } from "../service-log.ts";

interface FollowOptions {
  readonly bus?: string;
  readonly models?: string;
  readonly from?: string;
  readonly trust: readonly string[];
  readonly shadow?: number;
  readonly key?: string;
  readonly http?: string;
  readonly log: LogForm;
}

export function registerFollow(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(
    program
      .command("follow")
      .argument("<model>", "name of a published model")
      .description("make a learner's updates live, as `kn serve --follow` does, in a process of its own"),
    deps,
  )
    .option("--models <folder>", "folder of the models (default: the store of --bus)")
    .option("--from <address>", "the learner's store, as nats://host:port?domain=hub (default: that of --bus)")
    .option("--trust <file...>", "public keys of which an update must be signed by one (default: KN_TRUSTED_KEYS)", [])
    .addOption(
      shadowOption("share of the requests that a learner's candidate computes beside the live release (default: 100)"),
    )
    .option("--key <file>", "with --trust: this site's private key; it signs the releases of updates")
    .option("--http <host:port>", "serve /healthz, /readyz, /startupz and /metrics there")
    .addOption(logFormOption())
    .action(async (model: string, options: FollowOptions) => {
      await follow(model, options, deps);
      exit(EXIT_OK);
    });
}

async function follow(name: string, options: FollowOptions, deps: ExecuteDeps): Promise<void> {
  const { terminal, clock, env, softwareVersion, connectFleet } = deps;
  const run = runOfModel(name);
  const { log, say } = openServiceLog(options.log, run, deps);
  const leaving = new AbortController();
  const { signal } = leaving;
  const forget = terminal.onSignal(() => {
    leaving.abort(new Error("asked to leave"));
  });
  let obstacle: string | undefined = "the fleet is not joined yet";
  const metrics = createServingMetrics(name);
  try {
    const trusted = await trustedKeys(options.trust, env);
    const signer = options.key === undefined ? {} : { signer: await signerIn(options.key) };
    assertSiteKey(signer.signer, trusted);
    await using _http =
      options.http === undefined
        ? undefined
        : await serveNodeHttp(
            { address: options.http },
            {
              starting: () => [],
              unready: () => Promise.resolve(obstacle === undefined ? [] : [obstacle]),
              metrics,
            },
          );
    const onObstacle = (reason: string): void => {
      say(`waiting: ${reason}`);
      obstacle = reason;
    };
    await using place = await openServingPlace(
      { bus: options.bus ?? fleetAddress(deps), models: options.models, name: `kn follow ${name}`, signal },
      { clock, log, connect: connectFleet, onObstacle },
    );
    if (place === undefined) return;
    const { bus, fleet, models } = place;
    await using from = await followedStore(options.from, { fleet, name: `kn follow ${name}` }, clock);
    const model = openModel(models, name, { clock, trusted, ...signer });
    metrics.showUpdater(() => bus.services);
    await using updater = await startUpdater(
      { run, softwareVersion, isShared: true, trusted, shadowPercent: options.shadow },
      { bus, models, clock, log, model, from, random: Math.random },
    );
    obstacle = undefined;
    say(`${updater.id} of ${name} at ${bus.description}, from ${from.description}`);
    const outcome = await Promise.race([updater.ended, abortOf(signal)]);
    if (outcome instanceof Error) throw outcome;
  } finally {
    forget();
  }
}
