/** Ends a run that no node can end: all nodes of its record are gone. */
import { KnowledgeNetError } from "../errors/index.ts";
import { openCheckpoints, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { COORDINATOR } from "../run-spec/index.ts";
import type { Fleet } from "./fleet.ts";
import { runRecordOf } from "./launch.ts";
import { EMPTY_SUMMARY, type RunStatus } from "./run-status.ts";
import { createStatusWriter } from "./status-writer.ts";

/**
 * The run ends as stopped at its last committed checkpoint. Rejects with KN_CONFIG while a node of the run is a member
 * of the fleet or its controller holds the lease: that node ends the run.
 */
export async function endRunWithoutNodes(run: string, fleet: Fleet, clock: Clock): Promise<RunStatus> {
  const record = await runRecordOf(run, fleet);
  const hosts = new Set(Object.values(record.actors));
  const present = (await fleet.nodes.all()).filter(({ name }) => hosts.has(name)).map(({ name }) => name);
  const lease = await fleet.leases.get(`${run}.${COORDINATOR}`);
  if (record.desired !== "ended" && (present.length > 0 || lease !== undefined)) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: `end ${run} without its nodes`,
      rule: "no node of the run may be present",
      value: present.length > 0 ? present.join(", ") : "its controller holds the lease",
      remedy: `let them end it: kn stop ${run}`,
    });
  }
  const before = (await fleet.status.get(run))?.value;
  if (before?.attempt === record.attempt && before.outcome !== undefined) return before;
  const [manifest] = await (await openCheckpoints(fleet.store, scopeOfRun(run))).manifests();
  const now = new Date(clock.wallTimeMs()).toISOString();
  const summary = before?.attempt === record.attempt ? before.record : EMPTY_SUMMARY;
  const status: RunStatus = {
    format: 2,
    run,
    attempt: record.attempt,
    fence: before?.fence ?? 0,
    phase: record.phase,
    done: before?.done ?? [],
    state: "stopped",
    control: "released",
    outcome: "stopped",
    coordinator: record.actors[COORDINATOR] ?? "",
    published: before?.published ?? 0,
    record: {
      ...summary,
      ...(manifest === undefined
        ? {}
        : { step: manifest.step, generation: manifest.generation, epochs: manifest.epoch }),
    },
    seconds: before?.seconds ?? 0,
    startedAt: before?.startedAt ?? record.createdAt,
    updatedAt: now,
  };
  await createStatusWriter(fleet.status)(status);
  await fleet.runs.change(run, (value) =>
    value.attempt === record.attempt ? { ...value, desired: "ended" } : undefined,
  );
  return status;
}
