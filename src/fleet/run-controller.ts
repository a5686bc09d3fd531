/**
 * Controls a run from one node: run-controller-chart.ts with its effects. Lease and coordinator are held by the states that
 * invoke them, and released by leaving those states, however that happens.
 */
import { fromPromise } from "xstate";
import { hostMachine } from "../runtime/actor/index.ts";
import type { Checkpoints } from "../runtime/artifacts/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { Fleet } from "./fleet.ts";
import type { RunRecordEntry } from "./records.ts";
import { controllerStateName, runControllerChart } from "./run-controller-chart.ts";
import { createRunOffice } from "./run-office.ts";
import { beginNextPhase, conclude, coordinate, reconcile, report, type TermEffectDeps } from "./term-effects.ts";

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

export function createRunController(
  first: RunRecordEntry,
  { node, instance, softwareVersion }: RunControllerOptions,
  { fleet, bus, clock, log, openCheckpoints }: RunControllerDeps,
): RunController {
  const { run } = first;
  const effects: TermEffectDeps = {
    node,
    softwareVersion,
    fleet,
    bus,
    clock,
    log,
    facts: (control = controllerStateName(host.state)) => ({ node, control, nowMs: clock.wallTimeMs() }),
  };
  const office = createRunOffice(
    first,
    { node, instance },
    {
      fleet,
      clock,
      log,
      openCheckpoints,
      tell: (type) => {
        host.send({ type });
      },
    },
  );
  const reconciling: Parameters<typeof reconcile>[2] = {
    current: () => office.record,
    tell: (type) => {
      host.send({ type });
    },
  };

  const host = hostMachine(
    runControllerChart.provide({
      actors: {
        look: fromPromise(office.look),
        holdLease: fromPromise(({ signal }) => office.holdLease(signal)),
        restore: fromPromise(office.restore),
        coordinate: fromPromise(({ signal }) => office.during((term) => coordinate(term, signal, effects))),
        reconcile: fromPromise(({ signal }) => office.during((term) => reconcile(term, signal, reconciling, effects))),
        beginNextPhase: fromPromise(() => office.during((term) => beginNextPhase(term, effects))),
        conclude: fromPromise(({ input }) => office.during((term) => conclude(term, input, effects))),
        report: fromPromise(({ input }) => office.during((term) => report(term, input, effects))),
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
      office.record = next;
      host.send({ type: "RecordChanged", attempt: next.attempt });
    },
    async [Symbol.asyncDispose]() {
      host.send({ type: "Stop" });
      await office.settled();
    },
  };
}
