/**
 * What a controller does during its term of office, by states of run-controller-chart.ts. Each write may be repeated after
 * KN_UNAVAILABLE.
 */
import { createCoordinator } from "../actors/coordinator/index.ts";
import { createControlChannel } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { confirmedBus } from "../runtime/lease/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { actorsOf, phaseAfter, readyDeadlineOf, takesOver } from "../jobs/run-plan.ts";
import { COORDINATOR, FEEDER } from "../run-spec/index.ts";
import { abortOf } from "./abort.ts";
import type { Fleet } from "./fleet.ts";
import { patientCheckpoints } from "./patient-checkpoints.ts";
import { placeActors } from "./placement.ts";
import { type CoordinationEnd, TICK_MS } from "./run-controller-chart.ts";
import { createReconciler, type ReconcilerDeps } from "./run-reconciler.ts";
import { recordOfSummary, type RunTerm, type StatusFacts, statusOf, unrestoredStatus } from "./run-term.ts";

export interface TermEffectDeps {
  readonly node: string;
  readonly softwareVersion: string;
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  /** @default control the controller's state now */
  readonly facts: (control?: string) => StatusFacts;
}

/** How long a stop waits for the batches under way, ms. */
const STOP_DEADLINE_MS = 30_000;

/** Coordinates the run until its phase ends, or until the signal aborts, which abandons it to a successor. */
export async function coordinate(
  term: RunTerm,
  signal: AbortSignal,
  { node, softwareVersion, bus, clock, log }: TermEffectDeps,
): Promise<CoordinationEnd> {
  const { lease, record: of, base, checkpoints } = term;
  const { run } = of;
  if (checkpoints === undefined) throw new TypeError(`${run} is not restored`);
  const { learners, gradientModels, teachers } = actorsOf(of.spec, of.phase);
  const coordinator = createCoordinator(
    {
      run,
      id: COORDINATOR,
      fence: lease.fence,
      softwareVersion,
      metadata: { spec: of.spec.name, node },
      feeder: FEEDER,
      learners,
      gradientModels,
      teachers,
      phase: of.phase,
      saveEverySteps: of.spec.checkpoint.everySteps,
      window: of.spec.flow.window,
      readyDeadlineMs: readyDeadlineOf(of),
      stopDeadlineMs: STOP_DEADLINE_MS,
      attempt: of.attempt,
      ...(base === undefined ? {} : { record: recordOfSummary(base) }),
    },
    {
      bus: confirmedBus(bus, () => lease.isConfirmed),
      clock,
      log: log.child({ actor: COORDINATOR }),
      checkpoints: patientCheckpoints(checkpoints, { clock, log, signal }),
    },
  );
  term.coordinator = coordinator;
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
}

/** Writes the status and looks for lost actors, every tick until the signal aborts. */
export async function reconcile(
  term: RunTerm,
  signal: AbortSignal,
  { current, tell }: Pick<ReconcilerDeps, "current" | "tell">,
  { node, fleet, bus, clock, log, facts }: TermEffectDeps,
): Promise<void> {
  const channel = createControlChannel({ run: term.record.run, actor: "run-control" }, { bus, log });
  await using reconciler = createReconciler({ term, node }, { fleet, clock, log, channel, current, facts, tell });
  while (!signal.aborted) {
    await reconciler.tick();
    await clock.sleep(TICK_MS, signal).catch(() => undefined);
  }
}

/** Writes the result of the phase, then the record of the next one. */
export async function beginNextPhase(term: RunTerm, { fleet, facts }: TermEffectDeps): Promise<void> {
  const { record: of, coordinator, writeStatus, history } = term;
  const phase = phaseAfter(of.spec, of.phase);
  if (phase === undefined || coordinator === undefined) return;
  await history.append(coordinator.record, true);
  const status = statusOf(term, facts("betweenPhases"));
  const finished = { phase: of.phase, seconds: status.seconds, record: status.record };
  await writeStatus({ ...status, done: [...status.done, finished] });
  const actors = placeActors({ ...of, phase, nodes: await fleet.nodes.all() });
  const from = { attempt: of.attempt, generation: coordinator.record.generation };
  await fleet.runs.change(of.run, ({ from: _before, ...value }) =>
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
}

/** Writes the outcome, then ends the run. */
export async function conclude(
  term: RunTerm,
  end: CoordinationEnd | undefined,
  { fleet, log, facts }: TermEffectDeps,
): Promise<void> {
  const { record: of, coordinator, writeStatus, history } = term;
  const { run } = of;
  if (term.outcome === undefined && end !== undefined && end.outcome !== "abandoned") {
    const outcome = {
      ...facts("concluding"),
      end: { outcome: end.outcome, ...(end.error === undefined ? {} : { error: end.error }) },
    };
    if (coordinator !== undefined) await history.append(coordinator.record, true);
    await writeStatus(term.isRestored ? statusOf(term, outcome) : await unrestoredStatus(term, outcome, fleet));
    log.info({ run, outcome: end.outcome, err: end.error }, "run ended");
  }
  await fleet.runs.change(run, (value) => (value.attempt === of.attempt ? { ...value, desired: "ended" } : undefined));
}

/** Writes what stands in the way of the controller's present work. */
export async function report(
  term: RunTerm,
  problem: Error | undefined,
  { fleet, log, facts }: TermEffectDeps,
): Promise<void> {
  const now = { ...facts(), problem: problem?.message };
  log.warn({ run: term.record.run, control: now.control, err: problem }, "run control is held up; trying again");
  await term.writeStatus(term.isRestored ? statusOf(term, now) : await unrestoredStatus(term, now, fleet));
}
