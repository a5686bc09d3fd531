/**
 * The lifecycle of a gateway, pure.
 *
 * ```
 * opening  --opened--> waiting: no release has a replica for each slice
 * waiting  --Covered--> ready.steady            ready --Uncovered--> waiting
 * ready    steady --SwapBegun--> swapping (another release is live, and not loaded everywhere) --SwapEnded--> steady
 * waiting, ready --Stop--> draining: takes no request from the bus, answers those that it has --> closing
 * closing  --> left | failed (with the error as output)
 * ```
 */
import { assign, fromPromise, setup } from "xstate";

export type GatewayEvent =
  | { readonly type: "Stop" }
  | { readonly type: "Failed"; readonly error: Error }
  | { readonly type: "Covered" }
  | { readonly type: "Uncovered" }
  | { readonly type: "SwapBegun" }
  | { readonly type: "SwapEnded" };

const unprovided = (): never => {
  throw new TypeError("the effects of an actor's chart must be provided");
};

export const gatewayLifecycle = setup({
  types: {
    context: {} as { readonly error: Error | undefined },
    events: {} as GatewayEvent,
    output: {},
  },
  actors: {
    open: fromPromise<void>(unprovided),
    drain: fromPromise<void>(unprovided),
    close: fromPromise<void>(unprovided),
  },
  guards: { hasFailed: ({ context }) => context.error !== undefined },
}).createMachine({
  id: "gateway",
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
        onDone: "waiting",
        onError: { target: "closing", actions: assign({ error: ({ event }) => toError(event.error) }) },
      },
    },
    waiting: { on: { Covered: "ready", Stop: "draining" } },
    ready: {
      on: { Uncovered: "waiting", Stop: "draining" },
      initial: "steady",
      states: {
        steady: { on: { SwapBegun: "swapping" } },
        swapping: { on: { SwapEnded: "steady" } },
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

/** Whether it is open: it takes requests, and refuses them while no release can be computed. */
export function isOpen(state: string): boolean {
  return state === "waiting" || state.startsWith("ready");
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
