/**
 * The lifecycle of the feeder, pure: when it publishes, and at which marks it holds.
 *
 * ```
 * starting --opened--> holding
 * holding  --Start--> feeding
 * feeding  publishes while there is credit (on entry and on every Credit)
 *          --EpochPublished--> draining (mark: epoch ended, or finished after the last)
 *          --Pause--> draining (mark: paused)
 * draining --Credit, everything consumed--> holding, or finished; the mark is announced
 * finished keeps answering commands; Stop, anywhere --> stopping --> stopped (an opening under way is interrupted)
 * an error while publishing or opening --> failing --> failed
 * ```
 */
import { assign, fromPromise, setup } from "xstate";

export type FeederMarkKind = "epoch-ended" | "paused" | "finished";

export interface FeederContext {
  /** The mark that is announced when everything published is consumed. */
  readonly mark: FeederMarkKind;
  readonly error: Error | undefined;
}

export type FeederEvent =
  | { readonly type: "Start" }
  | { readonly type: "Pause" }
  /** The slowest learner has consumed more. `isDrained`: nothing published is outstanding. */
  | { readonly type: "Credit"; readonly isDrained: boolean }
  | { readonly type: "EpochPublished"; readonly isLast: boolean; readonly isDrained: boolean }
  | { readonly type: "Failed"; readonly error: Error }
  | { readonly type: "Stop" };

const unprovided = (): never => {
  throw new TypeError("the effects of the feeder's chart must be provided");
};

export const feederLifecycle = setup({
  types: { context: {} as FeederContext, events: {} as FeederEvent, output: {} },
  actors: { open: fromPromise<void>(unprovided), close: fromPromise<void>(unprovided) },
  actions: {
    /** Publishes as far as the credit goes; EpochPublished follows at the end of an epoch. */
    publish: () => undefined,
    announce: (_, _mark: FeederMarkKind) => undefined,
    /** Checks at once whether everything is consumed: nothing may be outstanding. */
    checkDrained: () => undefined,
  },
  guards: { isDrained: ({ event }) => "isDrained" in event && event.isDrained },
}).createMachine({
  id: "feeder",
  context: { mark: "epoch-ended", error: undefined },
  initial: "starting",
  on: {
    Stop: ".stopping",
    Failed: { target: ".failing", actions: assign({ error: ({ event }) => event.error }) },
  },
  states: {
    starting: {
      invoke: {
        src: "open",
        onDone: "holding",
        onError: { target: "failing", actions: assign({ error: ({ event }) => event.error as Error }) },
      },
    },
    holding: {
      on: {
        Start: "feeding",
        // It holds already: the mark is repeated, the first one may be lost.
        Pause: { actions: { type: "announce", params: "paused" } },
      },
    },
    feeding: {
      entry: "publish",
      on: {
        Credit: { actions: "publish" },
        EpochPublished: {
          target: "draining",
          actions: assign({ mark: ({ event }) => (event.isLast ? "finished" : "epoch-ended") }),
        },
        Pause: { target: "draining", actions: assign({ mark: "paused" }) },
      },
    },
    draining: {
      entry: "checkDrained",
      on: {
        Credit: [
          {
            guard: ({ context, event }) => event.isDrained && context.mark === "finished",
            target: "finished",
          },
          {
            guard: "isDrained",
            target: "holding",
            actions: { type: "announce", params: ({ context }) => context.mark },
          },
        ],
        // A pause that comes while an epoch ends changes nothing: both end in holding, and the mark tells which.
        Start: { guard: ({ context }) => context.mark === "paused", target: "feeding" },
      },
    },
    finished: {
      entry: { type: "announce", params: "finished" },
      on: {
        Pause: { actions: { type: "announce", params: "finished" } },
        Start: { actions: { type: "announce", params: "finished" } },
      },
    },
    stopping: { invoke: { src: "close", onDone: "stopped", onError: "stopped" } },
    stopped: { type: "final" },
    failing: { invoke: { src: "close", onDone: "failed", onError: "failed" } },
    failed: { type: "final" },
  },
  output: ({ context }) => (context.error === undefined ? {} : { error: context.error }),
});
