/**
 * The control of one run from one node, pure. Every node with an actor of the run has a controller; the one that holds the
 * coordinator's lease is in office.
 *
 * ```
 * standby      looks every second --its turn--> inOffice
 * inOffice     holds the lease for as long as the state lasts; --LeaseLost--> standby
 *   acquiring      --LeaseTaken--> restoring
 *   restoring      from the status and the checkpoints --Restored--> coordinating; --error--> retry, or concluding
 *   coordinating   { placing --Placed--> running --ActorsLost--> moving --ActorsPlaced--> running }
 *                  --the coordinator ended--> betweenPhases, concluding, or released when it was abandoned
 *   betweenPhases  writes the result of the phase, begins the next --done--> released
 *   concluding     writes the outcome, ends the run --done--> released
 * released     --the run is of another attempt than the one it left--> standby
 * Stop, anywhere --> stopped
 * ```
 * Each write is repeated until it succeeds; what stands in the way is reported meanwhile.
 */
import { assign, fromPromise, setup } from "xstate";
import { isRetryable } from "./retryable.ts";

/** How coordination ended. */
export interface CoordinationEnd {
  readonly outcome: "completed" | "stopped" | "failed" | "abandoned";
  readonly error?: Error;
  /** Another phase follows. */
  readonly hasNext: boolean;
}

export type RunControllerEvent =
  | { readonly type: "LeaseTaken" }
  | { readonly type: "LeaseLost" }
  | { readonly type: "Placed" }
  | { readonly type: "ActorsLost" }
  | { readonly type: "ActorsPlaced" }
  | { readonly type: "RecordChanged"; readonly attempt: number }
  | { readonly type: "Stop" };

export interface RunControllerContext {
  /** Attempt of the run's record now, and the one that it was last in office for. */
  readonly attempt: number;
  readonly servedAttempt: number;
  readonly end: CoordinationEnd | undefined;
  /** What stands in the way; undefined while nothing does. */
  readonly problem: Error | undefined;
}

/** Between two looks at the run, and before a failed write is repeated, ms. */
export const TICK_MS = 1_000;

const unprovided = (): never => {
  throw new TypeError("the effects of run control must be provided");
};

/** Reports what stands in the way, then tries again. A report that fails, by the same outage perhaps, is repeated. */
const retry = {
  invoke: {
    src: "report",
    input: ({ context }: { readonly context: RunControllerContext }) => context.problem,
    onError: {},
  },
  after: { tick: "trying" },
} as const;

export const runControllerChart = setup({
  types: {
    context: {} as RunControllerContext,
    events: {} as RunControllerEvent,
    input: {} as { readonly attempt: number },
  },
  actors: {
    /** @returns whether it is this node's turn to take the lease */
    look: fromPromise<boolean>(unprovided),
    /** Takes the lease and holds it until the signal aborts, or resolves when it is lost or was not free. */
    holdLease: fromPromise<void>(unprovided),
    /** @returns an outcome that an earlier controller wrote already */
    restore: fromPromise<CoordinationEnd | undefined>(unprovided),
    coordinate: fromPromise<CoordinationEnd>(unprovided),
    /** Writes the status and looks for lost actors, every tick until the signal aborts. */
    reconcile: fromPromise<void>(unprovided),
    beginNextPhase: fromPromise<void>(unprovided),
    conclude: fromPromise<void, CoordinationEnd | undefined>(unprovided),
    report: fromPromise<void, Error | undefined>(unprovided),
  },
  actions: {
    serve: assign({ servedAttempt: ({ context }) => context.attempt, end: undefined, problem: undefined }),
    note: assign((_, changes: Partial<RunControllerContext>) => changes),
  },
  guards: {
    isOtherAttempt: ({ context }) => context.attempt !== context.servedAttempt,
    isOver: ({ context }) => context.end?.outcome === "abandoned",
    hasNext: ({ context }) => context.end?.outcome === "completed" && context.end.hasNext,
  },
  delays: { tick: TICK_MS },
}).createMachine({
  id: "run-control",
  context: ({ input }) => ({ attempt: input.attempt, servedAttempt: 0, end: undefined, problem: undefined }),
  initial: "standby",
  on: {
    Stop: ".stopped",
    RecordChanged: { actions: { type: "note", params: ({ event }) => ({ attempt: event.attempt }) } },
  },
  states: {
    standby: {
      initial: "looking",
      states: {
        looking: {
          invoke: {
            src: "look",
            onDone: [{ guard: ({ event }) => event.output, target: "#run-control.inOffice" }, { target: "waiting" }],
            onError: "waiting",
          },
        },
        waiting: { after: { tick: "looking" } },
      },
    },
    inOffice: {
      entry: "serve",
      // Not at once again: the assigned node would ask without a pause while another holds the lease.
      invoke: { src: "holdLease", onDone: "standby.waiting", onError: "standby.waiting" },
      on: { LeaseLost: "standby.waiting" },
      initial: "acquiring",
      states: {
        acquiring: { on: { LeaseTaken: "restoring" } },
        restoring: {
          initial: "trying",
          states: {
            trying: {
              invoke: {
                src: "restore",
                onDone: [
                  {
                    guard: ({ event }) => event.output !== undefined,
                    target: "#run-control.inOffice.left",
                    actions: { type: "note", params: ({ event }) => ({ end: event.output }) },
                  },
                  { target: "#run-control.inOffice.coordinating" },
                ],
                onError: [
                  {
                    guard: ({ event }) => isRetryable(event.error),
                    target: "retry",
                    actions: { type: "note", params: ({ event }) => ({ problem: toError(event.error) }) },
                  },
                  {
                    target: "#run-control.inOffice.concluding",
                    actions: { type: "note", params: ({ event }) => ({ end: failedWith(event.error) }) },
                  },
                ],
              },
            },
            retry,
          },
        },
        coordinating: {
          entry: { type: "note", params: { problem: undefined } },
          invoke: [
            {
              src: "coordinate",
              onDone: [
                {
                  target: "left",
                  actions: { type: "note", params: ({ event }) => ({ end: event.output }) },
                },
              ],
              onError: [
                {
                  guard: ({ event }) => isRetryable(event.error),
                  target: "restoring.retry",
                  actions: { type: "note", params: ({ event }) => ({ problem: toError(event.error) }) },
                },
                {
                  target: "concluding",
                  actions: { type: "note", params: ({ event }) => ({ end: failedWith(event.error) }) },
                },
              ],
            },
            {
              src: "reconcile",
              onError: {
                target: "restoring.retry",
                actions: { type: "note", params: ({ event }) => ({ problem: toError(event.error) }) },
              },
            },
          ],
          initial: "placing",
          states: {
            placing: { on: { Placed: "running", ActorsLost: "moving" } },
            running: { on: { ActorsLost: "moving" } },
            moving: { on: { ActorsPlaced: "running" } },
          },
        },
        /** The coordinator has ended: what follows depends on its outcome. */
        left: {
          always: [
            { guard: "isOver", target: "#run-control.released" },
            { guard: "hasNext", target: "betweenPhases" },
            { target: "concluding" },
          ],
        },
        betweenPhases: {
          initial: "trying",
          states: {
            trying: {
              invoke: {
                src: "beginNextPhase",
                onDone: "#run-control.released",
                onError: {
                  target: "retry",
                  actions: { type: "note", params: ({ event }) => ({ problem: toError(event.error) }) },
                },
              },
            },
            retry,
          },
        },
        concluding: {
          initial: "trying",
          states: {
            trying: {
              invoke: {
                src: "conclude",
                input: ({ context }) => context.end,
                onDone: "#run-control.released",
                onError: {
                  target: "retry",
                  actions: { type: "note", params: ({ event }) => ({ problem: toError(event.error) }) },
                },
              },
            },
            retry,
          },
        },
      },
    },
    released: { always: { guard: "isOtherAttempt", target: "standby" } },
    stopped: { type: "final" },
  },
});

/** As published: "standby", "restoring", "coordinating.running", ... */
export function controllerStateName(state: string): string {
  return state.replace(/^inOffice\./, "").replace(/\.(trying|retry|looking|waiting)$/, "");
}

function failedWith(error: unknown): CoordinationEnd {
  return { outcome: "failed", error: toError(error), hasNext: false };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
