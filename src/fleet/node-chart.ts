/**
 * Membership of one node in the fleet, pure.
 *
 * ```
 * joining --Joined--> member        takes its name in the fleet
 * member                            follows the run records --error--> leaving
 * joining, member --Stop--> leaving --NameTaken (another node took the name)--> leaving
 * leaving  saves and releases everything --done--> gone, or expelled when the name was taken
 * ```
 */
import { assign, fromPromise, setup } from "xstate";

export type NodeEvent = { readonly type: "Stop" } | { readonly type: "NameTaken"; readonly error: Error };

export interface NodeContext {
  /** Why the node ends; undefined: it was stopped. */
  readonly error: Error | undefined;
  readonly isExpelled: boolean;
}

const unprovided = (): never => {
  throw new TypeError("the effects of a node must be provided");
};

export const nodeChart = setup({
  types: { context: {} as NodeContext, events: {} as NodeEvent, output: {} },
  actors: {
    join: fromPromise<void>(unprovided),
    /** Follows the run records until the signal aborts. */
    follow: fromPromise<void>(unprovided),
    leave: fromPromise<void>(unprovided),
  },
  actions: { note: assign((_, changes: Partial<NodeContext>) => changes) },
}).createMachine({
  id: "node",
  context: { error: undefined, isExpelled: false },
  initial: "joining",
  on: {
    NameTaken: {
      target: ".leaving",
      actions: { type: "note", params: ({ event }) => ({ error: event.error, isExpelled: true }) },
    },
  },
  states: {
    joining: {
      invoke: {
        src: "join",
        onDone: "member",
        onError: {
          target: "leaving",
          actions: { type: "note", params: ({ event }) => ({ error: toError(event.error) }) },
        },
      },
      on: { Stop: "leaving" },
    },
    member: {
      invoke: {
        src: "follow",
        onError: {
          target: "leaving",
          actions: { type: "note", params: ({ event }) => ({ error: toError(event.error) }) },
        },
      },
      on: { Stop: "leaving" },
    },
    leaving: {
      // A second reason to leave changes nothing.
      on: {
        NameTaken: { actions: { type: "note", params: ({ event }) => ({ error: event.error, isExpelled: true }) } },
      },
      invoke: {
        src: "leave",
        onDone: [{ guard: ({ context }) => context.isExpelled, target: "expelled" }, { target: "gone" }],
        onError: [{ guard: ({ context }) => context.isExpelled, target: "expelled" }, { target: "gone" }],
      },
    },
    gone: { type: "final" },
    expelled: { type: "final" },
  },
  output: ({ context }) => (context.error === undefined ? {} : { error: context.error }),
});

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
