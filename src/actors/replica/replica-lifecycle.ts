/**
 * The lifecycle of a replica, pure.
 *
 * ```
 * opening   --opened--> loading: no release can be computed yet
 * loading   --ReleaseReady--> serving (parallel)
 *   activity   ready: idle --BatchTaken--> computing --BatchesDone--> idle
 *   releases   steady --LoadBegun--> loading --WarmBegun--> warming --LoadEnded--> steady
 * loading, serving --Stop--> draining: answers the batches that it has --> closing
 *                  --Failed--> closing
 * closing   --> left | failed (with the error as output)
 * ```
 */
import { assign, fromPromise, setup } from "xstate";

export type ReplicaEvent =
  | { readonly type: "Stop" }
  | { readonly type: "Failed"; readonly error: Error }
  | { readonly type: "ReleaseReady" }
  | { readonly type: "BatchTaken" }
  | { readonly type: "BatchesDone" }
  | { readonly type: "LoadBegun" }
  | { readonly type: "WarmBegun" }
  | { readonly type: "LoadEnded" };

const unprovided = (): never => {
  throw new TypeError("the effects of an actor's chart must be provided");
};

export const replicaLifecycle = setup({
  types: {
    context: {} as { readonly error: Error | undefined },
    events: {} as ReplicaEvent,
    output: {},
    tags: {} as "brief",
  },
  actors: {
    open: fromPromise<void>(unprovided),
    drain: fromPromise<void>(unprovided),
    close: fromPromise<void>(unprovided),
  },
  guards: { hasFailed: ({ context }) => context.error !== undefined },
}).createMachine({
  id: "replica",
  context: { error: undefined },
  initial: "opening",
  output: ({ context }) => (context.error === undefined ? {} : { error: context.error }),
  on: {
    Failed: { target: ".closing", actions: assign({ error: ({ event }) => event.error }) },
    Stop: ".closing",
  },
  states: {
    opening: {
      invoke: {
        src: "open",
        onDone: "loading",
        onError: { target: "closing", actions: assign({ error: ({ event }) => toError(event.error) }) },
      },
    },
    loading: { on: { ReleaseReady: "serving", Stop: "draining" } },
    serving: {
      type: "parallel",
      on: { Stop: "draining" },
      states: {
        activity: {
          initial: "ready",
          states: {
            ready: {
              initial: "idle",
              states: {
                idle: { tags: "brief", on: { BatchTaken: "computing" } },
                computing: { tags: "brief", on: { BatchesDone: "idle" } },
              },
            },
          },
        },
        releases: {
          initial: "steady",
          states: {
            steady: { on: { LoadBegun: "loading" } },
            loading: { on: { WarmBegun: "warming", LoadEnded: "steady" } },
            warming: { on: { LoadEnded: "steady" } },
          },
        },
      },
    },
    draining: {
      on: { Stop: {} },
      invoke: { src: "drain", onDone: "closing", onError: "closing" },
    },
    closing: {
      on: { Stop: {}, Failed: {} },
      invoke: {
        src: "close",
        onDone: [{ guard: "hasFailed", target: "failed" }, { target: "left" }],
        onError: {
          target: "failed",
          actions: assign({ error: ({ context, event }) => context.error ?? toError(event.error) }),
        },
      },
    },
    left: { type: "final" },
    failed: { type: "final" },
  },
});

/** Whether it takes batches: also before a release is ready, which it then reports. */
export function isTakingBatches(state: string): boolean {
  return state === "loading" || state.startsWith("ready");
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
