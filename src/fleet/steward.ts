/**
 * Takes care of a run from this node when the run has no coordinator: holds the coordinator's lease, runs the coordinator,
 * writes the run's status, moves the actors of nodes that are gone, and ends the run.
 */
import { type Coordinator, createCoordinator, type RunRecord } from "../actors/coordinator/index.ts";
import { type Lease, tryLease } from "../runtime/lease/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { actorsOf, READY_DEADLINE_MS, takesOver } from "../jobs/run-plan.ts";
import { COORDINATOR, FEEDER } from "../run-spec/index.ts";
import type { Fleet } from "./fleet.ts";
import { mayMove, placeActors } from "./placement.ts";
import { PRESENCE_TTL_MS, type RunRecordEntry, type RunStatus } from "./records.ts";
import type { RunHost } from "./run-host.ts";

export interface StewardOptions {
  readonly node: string;
  readonly instance: string;
  readonly softwareVersion: string;
}

export interface StewardDeps {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly host: RunHost;
}

export interface Steward {
  /** Lets go: another node takes over. */
  stop(): Promise<void>;
}

/** Between two looks at the run, ms. */
const TICK_MS = 1_000;
/** A node may be gone so long before its actors move, ms: enough to come back by itself. */
const MOVE_AFTER_MS = 15_000;
/** How long a stop waits for the batches under way, ms. */
const STOP_DEADLINE_MS = 30_000;

/** The phase after the one that a run is in. */
function phaseBehind({ phases, phase }: RunRecordEntry): RunRecordEntry["phase"] | undefined {
  return phases[phases.findIndex((each) => each.phase === phase) + 1]?.phase;
}

export function createSteward(options: StewardOptions, deps: StewardDeps): Steward {
  const { node, instance } = options;
  const { fleet, bus, clock, log, host } = deps;
  const { run } = host;
  const stopping = new AbortController();
  const missingSince = new Map<string, number>();
  let vacantTicks = 0;

  const takeLease = async (): Promise<Lease | undefined> => {
    const isOurs = host.record.actors[COORDINATOR] === node;
    const isVacant = (await fleet.leases.get(`${run}.${COORDINATOR}`)) === undefined;
    vacantTicks = isVacant ? vacantTicks + 1 : 0;
    // The node that it was given to goes first; the others when it has not come for a while.
    if (!isOurs && vacantTicks * TICK_MS < 2 * PRESENCE_TTL_MS) return undefined;
    const lease = { key: `${run}.${COORDINATOR}`, holder: node, instance, ttlMs: PRESENCE_TTL_MS };
    return tryLease(lease, { leases: fleet.leases, fences: fleet.fences, clock, log });
  };

  /** Where the run stands: from the coordinator before, from its checkpoint, or at the beginning. */
  const recordSoFar = async (record: RunRecordEntry): Promise<{ record?: RunRecord; startedAt: string }> => {
    const status = await fleet.status.get(run);
    if (status?.value.timeline === record.timeline) {
      return { record: status.value.record, startedAt: status.value.startedAt };
    }
    const startedAt = new Date(clock.wallTimeMs()).toISOString();
    const manifests = await (await host.openCheckpoints()).manifests();
    const { from } = record;
    const manifest = manifests.find((each) => each.timeline === from?.timeline && each.generation === from.generation);
    const evaluations = status?.value.record.evaluations ?? [];
    if (manifest?.phase !== record.phase) return { startedAt };
    const { epoch, step, generation } = manifest;
    return {
      startedAt,
      record: {
        evaluations: evaluations.filter((each) => each.step <= step),
        switches: [],
        teachers: [],
        progress: {},
        epochs: epoch,
        step,
        generation,
      },
    };
  };

  const coordinate = async (lease: Lease): Promise<void> => {
    const { record } = host;
    const { learners, gradientModels, teachers } = actorsOf(record.spec, record.phase);
    const done = (await fleet.status.get(run))?.value.done ?? [];
    const soFar = await recordSoFar(record);
    const startedMs = Date.parse(soFar.startedAt);
    const coordinator: Coordinator = createCoordinator(
      {
        run,
        id: COORDINATOR,
        fence: lease.fence,
        softwareVersion: options.softwareVersion,
        metadata: { spec: record.spec.name, node },
        feeder: FEEDER,
        learners,
        companions: gradientModels,
        others: teachers,
        phase: record.phase,
        saveEverySteps: record.spec.checkpoint.everySteps,
        window: record.spec.flow.window,
        readyDeadlineMs: READY_DEADLINE_MS,
        stopDeadlineMs: STOP_DEADLINE_MS,
        timeline: record.timeline,
        ...(soFar.record === undefined ? {} : { record: soFar.record }),
      },
      { bus, clock, log: log.child({ actor: COORDINATOR }), checkpoints: await host.openCheckpoints() },
    );

    const statusNow = (end?: { outcome: RunStatus["outcome"]; error?: Error }): RunStatus => {
      const now = clock.wallTimeMs();
      return {
        format: 1,
        run,
        timeline: record.timeline,
        phase: record.phase,
        done: done.filter(({ phase }) => phase !== record.phase),
        state: coordinator.state,
        ...(end?.outcome === undefined ? {} : { outcome: end.outcome }),
        ...(end?.error === undefined ? {} : { error: end.error.message }),
        coordinator: node,
        published: coordinator.published,
        record: coordinator.record as RunStatus["record"],
        seconds: Math.max(0, (now - startedMs) / 1000),
        startedAt: soFar.startedAt,
        updatedAt: new Date(now).toISOString(),
      };
    };

    let isOver = false;
    const over = coordinator.ended.then((error) => {
      isOver = true;
      const { outcome } = coordinator;
      return { ...(outcome === undefined ? {} : { outcome }), ...(error instanceof Error ? { error } : {}) };
    });
    const lost = lease.ended.then((error) => {
      if (error instanceof Error) coordinator.abandon();
    });
    await coordinator.start();
    log.info({ run, fence: lease.fence }, "coordinating");
    while (!isOver && !stopping.signal.aborted) {
      if (host.record.desired === "stopping") coordinator.requestStop();
      if (host.record.timeline !== record.timeline) coordinator.abandon();
      await attempt("write the status", () => fleet.status.put(run, statusNow()));
      await attempt("look after the nodes", moveFromTheDead);
      await Promise.race([over, clock.sleep(TICK_MS, stopping.signal).catch(() => undefined)]);
    }
    if (!isOver) coordinator.abandon();
    const end = await over;
    const next = end.outcome === "completed" ? phaseBehind(record) : undefined;
    if (next !== undefined) {
      const behind = statusNow();
      const finished = { phase: record.phase, seconds: behind.seconds, record: behind.record };
      await persist("write what the phase has come to", () =>
        fleet.status.put(run, { ...behind, done: [...behind.done, finished] }),
      );
      await persist("begin the next phase", () => beginPhase(record, next, coordinator.record.generation));
      // This one is over, whatever the watch still shows.
      while (!stopping.signal.aborted && host.record.timeline === record.timeline) {
        await clock.sleep(TICK_MS, stopping.signal).catch(() => undefined);
      }
    } else if (end.outcome !== "abandoned") {
      await persist("write the outcome", () =>
        fleet.status.put(run, statusNow({ ...end, outcome: end.outcome as RunStatus["outcome"] })),
      );
      await persist("end the run", () =>
        fleet.runs.change(run, (value) =>
          value.timeline === record.timeline ? { ...value, desired: "ended" } : undefined,
        ),
      );
    }
    await lease.release();
    await lost;
  };

  /** Gives the run to the actors of its next phase, where they are best placed now. */
  const beginPhase = async (
    record: RunRecordEntry,
    phase: RunRecordEntry["phase"],
    generation: number,
  ): Promise<void> => {
    const actors = placeActors({ ...record, phase, nodes: await fleet.nodes.all() });
    await fleet.runs.change(run, ({ from: _before, ...value }) =>
      value.timeline !== record.timeline
        ? undefined
        : {
            ...value,
            phase,
            timeline: value.timeline + 1,
            actors,
            ...(takesOver(record.spec, phase, record.phase) ? { from: { timeline: record.timeline, generation } } : {}),
          },
    );
  };

  /** Gives the actors of nodes that have been gone for long to nodes that are there, where the spec allows. */
  const moveFromTheDead = async (): Promise<void> => {
    const nodes = await fleet.nodes.all();
    const names = new Set(nodes.map(({ name }) => name));
    const { record } = host;
    const now = clock.now();
    for (const name of missingSince.keys()) if (names.has(name)) missingSince.delete(name);
    for (const name of Object.values(record.actors))
      if (!names.has(name)) missingSince.set(name, missingSince.get(name) ?? now);
    const dead = [...missingSince].filter(([, since]) => now - since >= MOVE_AFTER_MS).map(([name]) => name);
    const stranded = Object.entries(record.actors).filter(
      ([actor, name]) => dead.includes(name) && mayMove(record.spec, actor),
    );
    if (stranded.length === 0 || nodes.length === 0) return;
    const staying = Object.entries(record.actors).filter(([actor]) => !stranded.some(([moved]) => moved === actor));
    const spec = {
      ...record.spec,
      placement: { ...record.spec.placement, ...Object.fromEntries(staying.filter(([, name]) => names.has(name))) },
    };
    const placed = placeActors({ ...record, spec, nodes });
    const moves = Object.fromEntries(stranded.map(([actor]) => [actor, placed[actor] ?? node]));
    await fleet.runs.change(run, (value) => ({ ...value, actors: { ...value.actors, ...moves } }));
    log.warn({ run, dead, moves }, "actors moved from nodes that are gone");
  };

  const attempt = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      log.warn({ run, err: error }, `could not ${what}; trying again`);
      return false;
    }
  };
  const persist = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    while (!stopping.signal.aborted && !(await attempt(what, work))) {
      await clock.sleep(TICK_MS, stopping.signal).catch(() => undefined);
    }
  };

  const watchOver = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (host.record.desired !== "ended") {
        const lease = await takeLease().catch(() => undefined);
        if (lease !== undefined) await attempt("coordinate", () => coordinate(lease));
      }
      await clock.sleep(TICK_MS, stopping.signal).catch(() => undefined);
    }
  };
  const watching = watchOver();

  return {
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}
