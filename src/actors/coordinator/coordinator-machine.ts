/**
 * The lifecycle of a run, pure: from its actors being ready to its last checkpoint.
 *
 * ```
 * preparing --all actors answer--> feeding
 * feeding   --mark epoch-ended--> saving     --mark finished--> saving (last)
 *           --StopRequested--> pausing
 *           --FeederHolds--> feeding (it is told to begin once more: it is new, or has not heard)
 * pausing   --any mark--> saving             --deadline--> stopped (the checkpoint before stands)
 * saving    --done--> feeding, or completed after the last mark, or stopped when asked to
 * ActorFailed, anywhere, or an error --> failed;  Abandoned, anywhere --> abandoned (another coordinator goes on)
 * ```
 */
import { assign, fromPromise, setup } from "xstate";

export type RunOutcome = "completed" | "stopped" | "failed" | "abandoned";

export interface CoordinatorContext {
  readonly isLast: boolean;
  readonly isStopping: boolean;
  readonly stopDeadlineMs: number;
  readonly error: Error | undefined;
}

export type CoordinatorEvent =
  | { readonly type: "MarkReached"; readonly mark: "epoch-ended" | "paused" | "finished" }
  | { readonly type: "StopRequested" }
  /** The feeder waits to be told to begin, or holds at a mark that was dealt with. */
  | { readonly type: "FeederHolds" }
  | { readonly type: "ActorFailed"; readonly error: Error }
  | { readonly type: "Abandoned" };

export interface CoordinatorInput {
  /** How long a stop waits for what is under way, ms. */
  readonly stopDeadlineMs: number;
}

const unprovided = (): never => {
  throw new TypeError("the effects of the coordinator machine must be provided");
};

export const coordinatorMachine = setup({
  types: {
    context: {} as CoordinatorContext,
    events: {} as CoordinatorEvent,
    input: {} as CoordinatorInput,
    output: {},
  },
  actors: {
    awaitActors: fromPromise<void>(unprovided),
    startFeeding: fromPromise<void>(unprovided),
    pauseFeeding: fromPromise<void>(unprovided),
    saveAll: fromPromise<void>(unprovided),
  },
  guards: {
    isStopping: ({ context }) => context.isStopping,
    isLast: ({ context }) => context.isLast,
  },
  delays: { stopDeadline: ({ context }) => context.stopDeadlineMs },
}).createMachine({
  id: "coordinator",
  context: ({ input }) => ({
    isLast: false,
    isStopping: false,
    stopDeadlineMs: input.stopDeadlineMs,
    error: undefined,
  }),
  initial: "preparing",
  on: {
    ActorFailed: { target: ".failed", actions: assign({ error: ({ event }) => event.error }) },
    StopRequested: { actions: assign({ isStopping: true }) },
    Abandoned: ".abandoned",
  },
  states: {
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
      after: { stopDeadline: "stopped" },
    },
    saving: {
      invoke: {
        src: "saveAll",
        onDone: [
          { guard: "isLast", target: "completed" },
          { guard: "isStopping", target: "stopped" },
          { target: "feeding" },
        ],
        onError: { target: "failed", actions: assign({ error: ({ event }) => toError(event.error) }) },
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
