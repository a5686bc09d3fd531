/**
 * The chart of an actor that serves requests of others and keeps no state of its own, pure. A kind brings its open states;
 * the rest is common:
 *
 * ```
 * opening  --opened--> the first open state of the kind
 * open     --Stop--> draining: takes nothing more, answers what it has --> closing
 *          --Failed--> closing
 * closing  --> left | failed (with the error as output)
 * ```
 */
import { assign, fromPromise, setup } from "xstate";

export type ServiceLifecycleEvent =
  | { readonly type: "Stop" }
  | { readonly type: "Failed"; readonly error: Error }
  /** Of a gateway: a release can be computed, or none; another one is live than it answers with, or the same. */
  | { readonly type: "Covered" }
  | { readonly type: "Uncovered" }
  | { readonly type: "SwapBegun" }
  | { readonly type: "SwapEnded" }
  /** Of a replica: it can compute a release; it has batches, or none; what it does about releases. */
  | { readonly type: "ReleaseReady" }
  | { readonly type: "BatchTaken" }
  | { readonly type: "BatchesDone" }
  | { readonly type: "LoadBegun" }
  | { readonly type: "WarmBegun" }
  | { readonly type: "LoadEnded" }
  /** Of a learner: it has the observations of a round, and is done with them. */
  | { readonly type: "RoundBegun" }
  | { readonly type: "RoundEnded" }
  /** Of an updater: what it found when it looked last. */
  | { readonly type: "Waits" }
  | { readonly type: "IsCurrent" }
  | { readonly type: "Applies" }
  | { readonly type: "Pauses" }
  /** Of an observer: it knows what the live release computes; the store takes no observations, or takes them again. */
  | { readonly type: "NetworkKnown" }
  | { readonly type: "StoreLost" }
  | { readonly type: "StoreFound" };

const unprovided = (): never => {
  throw new TypeError("the effects of an actor's chart must be provided");
};

const base = setup({
  types: {
    context: {} as { readonly error: Error | undefined },
    events: {} as ServiceLifecycleEvent,
    output: {},
    tags: {} as "brief",
  },
  actors: {
    open: fromPromise<void>(unprovided),
    drain: fromPromise<void>(unprovided),
    close: fromPromise<void>(unprovided),
  },
  guards: { hasFailed: ({ context }) => context.error !== undefined },
});

/** Open states of a kind. */
export type OpenStates = NonNullable<Parameters<typeof base.createMachine>[0]["states"]>;

export interface ServiceLifecycleOptions {
  readonly id: string;
  /** The open state in which it begins. */
  readonly first: string;
  /** Its open states: each takes `Stop` to `draining`. */
  readonly open: OpenStates;
}

export function serviceLifecycle({ id, first, open }: ServiceLifecycleOptions) {
  return base.createMachine({
    id,
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
          onDone: first,
          onError: { target: "closing", actions: assign({ error: ({ event }) => toError(event.error) }) },
        },
      },
      ...open,
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
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
