/**
 * Controls a run from one node: run-controller-chart.ts with its effects. Lease and coordinator are held by the states that
 * invoke them, and released by leaving those states, however that happens.
 */
import { fromPromise } from "xstate";
import { createCoordinator } from "../actors/coordinator/index.ts";
import { createControlChannel, hostMachine } from "../runtime/actor/index.ts";
import type { Checkpoints } from "../runtime/artifacts/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { confirmedBus, tryLease } from "../runtime/lease/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { actorsOf, phaseAfter, READY_DEADLINE_MS, takesOver } from "../jobs/run-plan.ts";
import { COORDINATOR, FEEDER } from "../run-spec/index.ts";
import { abortOf } from "./abort.ts";
import type { Fleet } from "./fleet.ts";
import { patientCheckpoints } from "./patient-checkpoints.ts";
import { placeActors } from "./placement.ts";
import { createReconciler } from "./run-reconciler.ts";
import { PRESENCE_TTL_MS, type RunRecordEntry } from "./records.ts";
import { type CoordinationEnd, controllerStateName, runControllerChart, TICK_MS } from "./run-controller-chart.ts";
import { blankTerm, recordOfSummary, restoreTerm, type RunTerm, statusOf, unrestoredStatus } from "./run-term.ts";

export interface RunControllerOptions {
  readonly node: string;
  readonly instance: string;
  readonly softwareVersion: string;
}

export interface RunControllerDeps {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly openCheckpoints: () => Promise<Checkpoints>;
}

export interface RunController extends AsyncDisposable {
  /** "standby", "coordinating.running", ... */
  readonly state: string;
  /** Continues with another record of the run. */
  follow(record: RunRecordEntry): void;
}

/** How long a stop waits for the batches under way, ms. */
const STOP_DEADLINE_MS = 30_000;
/** A node without the assignment takes the lease once it was free for so long: the assigned one goes first. */
const VACANT_TICKS = (2 * PRESENCE_TTL_MS) / TICK_MS;

export function createRunController(
  first: RunRecordEntry,
  options: RunControllerOptions,
  deps: RunControllerDeps,
): RunController {
  const { run } = first;
  const { node, instance } = options;
  const { fleet, clock, log } = deps;
  const leaseKey = `${run}.${COORDINATOR}`;
  /** Effects that work with the lease; it is released after them. */
  const working = new Set<Promise<unknown>>();
  const offices = new Set<Promise<unknown>>();
  let record = first;
  let vacantTicks = 0;
  let term: RunTerm | undefined;

  const track = <T>(set: Set<Promise<unknown>>, work: Promise<T>): Promise<T> => {
    const done = work
      .catch(() => undefined)
      .finally(() => {
        set.delete(done);
      });
    set.add(done);
    return work;
  };
  const inOffice = (): RunTerm => {
    if (term === undefined) throw new TypeError(`${run} has no controller in office here`);
    return term;
  };
  const facts = (control = controllerStateName(host.state)) => ({ node, control, nowMs: clock.wallTimeMs() });

  const look = async (): Promise<boolean> => {
    if (record.desired === "ended") return false;
    const isVacant = (await fleet.leases.get(leaseKey)) === undefined;
    vacantTicks = isVacant ? vacantTicks + 1 : 0;
    return record.actors[COORDINATOR] === node || vacantTicks >= VACANT_TICKS;
  };

  const holdLease = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(offices);
    if (signal.aborted) return;
    const taken = await tryLease(
      { key: leaseKey, holder: node, instance, ttlMs: PRESENCE_TTL_MS },
      { leases: fleet.leases, fences: fleet.fences, clock, log },
    );
    if (taken === undefined) return;
    await using lease = taken;
    if (!signal.aborted) {
      term = blankTerm(lease, record, deps);
      log.info({ run, fence: lease.fence }, "in office");
      host.send({ type: "LeaseTaken" });
    }
    void lease.ended.then((lost) => {
      if (lost instanceof Error) host.send({ type: "LeaseLost" });
    });
    await abortOf(signal);
    await Promise.all(working);
  };

  const restore = async (): Promise<CoordinationEnd | undefined> => {
    const restored = await restoreTerm(inOffice(), deps);
    term = restored;
    return restored.outcome === undefined ? undefined : { outcome: restored.outcome, hasNext: false };
  };

  const coordinate = async (signal: AbortSignal): Promise<CoordinationEnd> => {
    const current = inOffice();
    const { lease, record: of, base, checkpoints } = current;
    if (checkpoints === undefined) throw new TypeError(`${run} is not restored`);
    const { learners, gradientModels, teachers } = actorsOf(of.spec, of.phase);
    const coordinator = createCoordinator(
      {
        run,
        id: COORDINATOR,
        fence: lease.fence,
        softwareVersion: options.softwareVersion,
        metadata: { spec: of.spec.name, node },
        feeder: FEEDER,
        learners,
        companions: gradientModels,
        others: teachers,
        phase: of.phase,
        saveEverySteps: of.spec.checkpoint.everySteps,
        window: of.spec.flow.window,
        readyDeadlineMs: READY_DEADLINE_MS,
        stopDeadlineMs: STOP_DEADLINE_MS,
        attempt: of.attempt,
        ...(base === undefined ? {} : { record: recordOfSummary(base) }),
      },
      {
        bus: confirmedBus(deps.bus, () => lease.isConfirmed),
        clock,
        log: log.child({ actor: COORDINATOR }),
        checkpoints: patientCheckpoints(checkpoints, { clock, log, signal }),
      },
    );
    current.coordinator = coordinator;
    await coordinator.start();
    void abortOf(signal).then(() => {
      coordinator.abandon();
    });
    const error = await coordinator.ended;
    return {
      outcome: error instanceof Error ? "failed" : (coordinator.outcome ?? "abandoned"),
      ...(error instanceof Error ? { error } : {}),
      hasNext: phaseAfter(of.spec, of.phase) !== undefined,
    };
  };

  const beginNextPhase = async (): Promise<void> => {
    const current = inOffice();
    const { record: of, coordinator, writeStatus, history } = current;
    const phase = phaseAfter(of.spec, of.phase);
    if (phase === undefined || coordinator === undefined) return;
    await history.append(coordinator.record, true);
    const status = statusOf(current, facts("betweenPhases"));
    const finished = { phase: of.phase, seconds: status.seconds, record: status.record };
    await writeStatus({ ...status, done: [...status.done, finished] });
    const actors = placeActors({ ...of, phase, nodes: await fleet.nodes.all() });
    const from = { attempt: of.attempt, generation: coordinator.record.generation };
    await fleet.runs.change(run, ({ from: _before, ...value }) =>
      value.attempt !== of.attempt
        ? undefined
        : {
            ...value,
            phase,
            attempt: of.attempt + 1,
            actors,
            ...(takesOver(of.spec, phase, of.phase) ? { from } : {}),
          },
    );
  };

  const conclude = async (end: CoordinationEnd | undefined): Promise<void> => {
    const current = inOffice();
    const { record: of, coordinator, writeStatus, history } = current;
    if (current.outcome === undefined && end !== undefined && end.outcome !== "abandoned") {
      const outcome = {
        ...facts("concluding"),
        end: { outcome: end.outcome, ...(end.error === undefined ? {} : { error: end.error }) },
      };
      if (coordinator !== undefined) await history.append(coordinator.record, true);
      await writeStatus(
        current.isRestored ? statusOf(current, outcome) : await unrestoredStatus(current, outcome, fleet),
      );
      log.info({ run, outcome: end.outcome, err: end.error }, "run ended");
    }
    await fleet.runs.change(run, (value) =>
      value.attempt === of.attempt ? { ...value, desired: "ended" } : undefined,
    );
  };

  const report = async (problem: Error | undefined): Promise<void> => {
    log.warn({ run, err: problem }, "run not restored; trying again");
    const current = inOffice();
    const status = await unrestoredStatus(current, { ...facts("restoring"), problem: problem?.message }, fleet);
    await current.writeStatus(status);
  };

  const reconcile = async (signal: AbortSignal): Promise<void> => {
    const channel = createControlChannel({ run, actor: "run-control" }, { bus: deps.bus, log });
    await using reconciler = createReconciler(
      { term: inOffice(), node },
      {
        fleet,
        clock,
        log,
        channel,
        current: () => record,
        facts,
        tell: (type) => {
          host.send({ type });
        },
      },
    );
    while (!signal.aborted) {
      await reconciler.tick();
      await clock.sleep(TICK_MS, signal).catch(() => undefined);
    }
  };

  const host = hostMachine(
    runControllerChart.provide({
      actors: {
        look: fromPromise(look),
        holdLease: fromPromise(({ signal }) => track(offices, holdLease(signal))),
        restore: fromPromise(() => track(working, restore())),
        coordinate: fromPromise(({ signal }) => track(working, coordinate(signal))),
        reconcile: fromPromise(({ signal }) => track(working, reconcile(signal))),
        beginNextPhase: fromPromise(() => track(working, beginNextPhase())),
        conclude: fromPromise(({ input }) => track(working, conclude(input))),
        report: fromPromise(({ input }) => track(working, report(input))),
      },
    }),
    { attempt: first.attempt },
    {
      clock,
      onState: (state) => {
        log.debug({ run, state: controllerStateName(state) }, "run control");
      },
    },
  );
  host.start();

  return {
    get state() {
      return controllerStateName(host.state);
    },
    follow(next) {
      record = next;
      host.send({ type: "RecordChanged", attempt: next.attempt });
    },
    async [Symbol.asyncDispose]() {
      host.send({ type: "Stop" });
      await Promise.all([...working, ...offices]);
    },
  };
}
