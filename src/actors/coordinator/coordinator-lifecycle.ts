/**
 * The lifecycle of a run, pure: from the readiness of its actors to its last checkpoint.
 *
 * ```
 * starting  --opened--> preparing
 * preparing --all actors answer--> feeding
 * feeding   --mark epoch-ended--> saving     --mark finished--> saving (last)
 *           --StopRequested--> pausing
 *           --FeederHolds--> feeding (StartFeeding is sent again: the feeder is new, or the command was lost)
 * pausing   --any mark--> saving             --stop deadline--> saving (late: each actor as it stands)
 * saving    --done--> feeding, or completed after the last mark, or stopped after StopRequested
 *           --save deadline, counted from StopRequested--> stopped (the checkpoint before stands)
 * ActorFailed, anywhere, or an error --> failed;  Abandoned, anywhere --> abandoned (another coordinator continues)
 * ```
 */
import { assign, cancel, enqueueActions, fromPromise, raise, setup } from "xstate";

export type RunOutcome = "completed" | "stopped" | "failed" | "abandoned";

export interface CoordinatorContext {
  readonly isLast: boolean;
  readonly isStopping: boolean;
  /** The batches in flight were not consumed by the stop deadline: actors are saved at different steps. */
  readonly isLate: boolean;
  readonly stopDeadlineMs: number;
  readonly saveDeadlineMs: number;
  readonly error: Error | undefined;
}

export type CoordinatorEvent =
  | { readonly type: "MarkReached"; readonly mark: "epoch-ended" | "paused" | "finished" }
  | { readonly type: "StopRequested" }
  /** The feeder waits for StartFeeding, or repeats a mark that was handled. */
  | { readonly type: "FeederHolds" }
  | { readonly type: "ActorFailed"; readonly error: Error }
  | { readonly type: "Abandoned" }
  /** Sent by the chart itself: the save of a stop took too long. */
  | { readonly type: "SaveDeadlinePassed" };

export interface CoordinatorInput {
  /** A stop waits so long for the batches in flight, ms. */
  readonly stopDeadlineMs: number;
  /** A stop waits so long for the last checkpoint, ms. */
  readonly saveDeadlineMs: number;
}

export interface SaveInput {
  readonly isLast: boolean;
  readonly isLate: boolean;
  readonly isStopping: boolean;
}

const SAVE_DEADLINE = "save-deadline";

const unprovided = (): never => {
  throw new TypeError("the effects of the coordinator's chart must be provided");
};

export const coordinatorLifecycle = setup({
  types: {
    context: {} as CoordinatorContext,
    events: {} as CoordinatorEvent,
    input: {} as CoordinatorInput,
    output: {},
  },
  actors: {
    open: fromPromise<void>(unprovided),
    awaitActors: fromPromise<void>(unprovided),
    startFeeding: fromPromise<void>(unprovided),
    pauseFeeding: fromPromise<void>(unprovided),
    saveAll: fromPromise<void, SaveInput>(unprovided),
  },
  actions: {
    limitSave: raise({ type: "SaveDeadlinePassed" }, { delay: "saveDeadline", id: SAVE_DEADLINE }),
  },
  guards: {
    isStopping: ({ context }) => context.isStopping,
    isLate: ({ context }) => context.isLate,
    isLast: ({ context }) => context.isLast,
  },
  delays: {
    stopDeadline: ({ context }) => context.stopDeadlineMs,
    saveDeadline: ({ context }) => context.saveDeadlineMs,
  },
}).createMachine({
  id: "coordinator",
  context: ({ input }) => ({ isLast: false, isStopping: false, isLate: false, ...input, error: undefined }),
  initial: "starting",
  on: {
    ActorFailed: { target: ".failed", actions: assign({ error: ({ event }) => event.error }) },
    StopRequested: { actions: assign({ isStopping: true }) },
    Abandoned: ".abandoned",
  },
  states: {
    starting: {
      invoke: {
        src: "open",
        onDone: "preparing",
        onError: { target: "failed", actions: assign({ error: ({ event }) => toError(event.error) }) },
      },
    },
    preparing: {
      invoke: {
        src: "awaitActors",
        onDone: [{ guard: "isStopping", target: "stopped" }, { target: "feeding" }],
        onError: { target: "failed", actions: assign({ error: ({ event }) => toError(event.error) }) },
      },
    },
    feeding: {
      invoke: {
        src: "startFeeding",
        onError: { target: "failed", actions: assign({ error: ({ event }) => toError(event.error) }) },
      },
      on: {
        MarkReached: [
          {
            guard: ({ event }) => event.mark === "finished",
            target: "saving",
            actions: assign({ isLast: true }),
          },
          { guard: ({ event }) => event.mark === "epoch-ended", target: "saving" },
        ],
        FeederHolds: { target: "feeding", reenter: true },
        StopRequested: { target: "pausing", actions: assign({ isStopping: true }) },
      },
    },
    pausing: {
      invoke: {
        src: "pauseFeeding",
        onError: { target: "failed", actions: assign({ error: ({ event }) => toError(event.error) }) },
      },
      on: {
        MarkReached: { target: "saving", actions: assign({ isLast: ({ event }) => event.mark === "finished" }) },
      },
      after: { stopDeadline: { target: "saving", actions: assign({ isLate: true }) } },
    },
    saving: {
      entry: enqueueActions(({ context, enqueue }) => {
        if (context.isStopping) enqueue("limitSave");
      }),
      exit: cancel(SAVE_DEADLINE),
      invoke: {
        src: "saveAll",
        input: ({ context: { isLast, isLate, isStopping } }) => ({ isLast, isLate, isStopping }),
        onDone: [
          { guard: "isLast", target: "completed" },
          { guard: "isStopping", target: "stopped" },
          { target: "feeding" },
        ],
        onError: [
          { guard: "isLate", target: "stopped" },
          { target: "failed", actions: assign({ error: ({ event }) => toError(event.error) }) },
        ],
      },
      on: {
        // Repeated while the stop is desired: the first one counts.
        StopRequested: {
          guard: ({ context }) => !context.isStopping,
          actions: [assign({ isStopping: true }), "limitSave"],
        },
        SaveDeadlinePassed: "stopped",
      },
    },
    completed: { type: "final" },
    stopped: { type: "final" },
    failed: { type: "final" },
    abandoned: { type: "final" },
  },
  output: ({ context }) => (context.error === undefined ? {} : { error: context.error }),
});

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
