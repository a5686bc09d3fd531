/** `kn stop RUN`: saves a checkpoint of a run on a fleet and ends it. */
import type { Command } from "commander";
import { KnowledgeNetError } from "../../../errors/index.ts";
import type { Fleet } from "../../../fleet/fleet.ts";
import { awaitOutcome, stopRun } from "../../../fleet/launch.ts";
import type { RunRecordEntry } from "../../../fleet/records.ts";
import type { RunStatus } from "../../../fleet/run-status.ts";
import type { Clock } from "../../../runtime/clock/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { describeAddress } from "../../connect/bus-address.ts";
import { withFleetBus } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";

interface StopOptions {
  readonly bus: string;
  readonly json: boolean;
}

/** Poll interval of the fleet's nodes, ms. */
const LOOK_EVERY_MS = 1_000;

export function registerStop(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withFleetBus(
    program.command("stop").argument("<run>", "name of a run").description("checkpoint and end a run of a fleet"),
    deps,
  )
    .option("--json", "print one JSON document", false)
    .action(async (run: string, options: StopOptions) => {
      await stop(run, options, deps);
      exit(EXIT_OK);
    });
}

/** Rejects with KN_UNAVAILABLE when no node is present that could end the run. */
async function stop(run: string, { bus, json }: StopOptions, deps: ExecuteDeps): Promise<void> {
  const { terminal, clock } = deps;
  await using connected = await deps.connectFleet({ address: bus, name: "kn stop" }, { log: silentLogger });
  const { fleet } = connected;
  const record = await stopRun(run, fleet);
  const status =
    record.desired === "ended" ? (await fleet.status.get(run))?.value : await awaitStopped(record, fleet, clock);
  const outcome = status?.outcome ?? "ended";
  const step = status?.record.step ?? 0;
  terminal.write(
    json
      ? JSON.stringify({ run, outcome, step }, undefined, 2)
      : `${run} ${outcome} at step ${step}; continue it with: kn resume ${run} --nodes fleet --bus ${describeAddress(bus)}`,
  );
}

async function awaitStopped(record: RunRecordEntry, fleet: Fleet, clock: Clock): Promise<RunStatus> {
  const leaving = new AbortController();
  const watching = watchNodes(record.run, fleet, clock, leaving);
  try {
    return await awaitOutcome(record, { fleet, clock }, () => undefined, leaving.signal);
  } finally {
    leaving.abort();
    await watching;
  }
}

/** Aborts `leaving` when two polls found no node: a record outlives its node by its time to live. */
async function watchNodes(run: string, fleet: Fleet, clock: Clock, leaving: AbortController): Promise<void> {
  let emptyLooks = 0;
  while (!leaving.signal.aborted) {
    // An unavailable store is no evidence about the nodes.
    const isEmpty = await fleet.nodes.all().then(
      (nodes) => nodes.length === 0,
      () => false,
    );
    emptyLooks = isEmpty ? emptyLooks + 1 : 0;
    if (emptyLooks === 2) {
      leaving.abort(
        new KnowledgeNetError("KN_UNAVAILABLE", {
          attempt: `end ${run}`,
          rule: "a node of the fleet must be present to save and end it",
          value: "no nodes",
          remedy: "the run is marked to stop, and the first node that joins ends it: kn node",
        }),
      );
    }
    await clock.sleep(LOOK_EVERY_MS, leaving.signal).catch(() => undefined);
  }
}
