/**
 * The place of one actor on this node, pure: desired is either an assignment or nothing, and the slot reconciles.
 *
 * ```
 * absent --Assigned--> hosting{ acquiringLease --LeaseTaken--> starting --Started--> running }
 * hosting  --Withdrawn, or Assigned with another composition--> hosting.draining
 *          --the incarnation ended--> releasing when it is withdrawn or has another composition;
 *                                     blocked when no restart can help; retry otherwise
 * retry    --after the back-off--> hosting (a new incarnation under a new fencing token)
 * blocked  repeats its reason until it is withdrawn or has another composition --> releasing
 * releasing closes the actor's compute worker --> hosting when it is assigned, else released
 * released --Assigned--> hosting
 * ```
 * One incarnation holds lease and actor, and has released both when it ends.
 */
import { assign, fromPromise, setup } from "xstate";

/** Why an incarnation ended. */
export type IncarnationEnd =
  /** `delayMs`: back-off before it is hosted again, if it is still assigned. */
  | { readonly kind: "left"; readonly delayMs: number }
  | { readonly kind: "failed"; readonly error: Error; readonly delayMs: number }
  | { readonly kind: "blocked"; readonly error: Error };

export type HostSlotEvent =
  /** `isNew`: the composition differs from that of the present incarnation. */
  | { readonly type: "Assigned"; readonly isNew: boolean }
  | { readonly type: "Withdrawn" }
  | { readonly type: "LeaseTaken" }
  | { readonly type: "Started" };

export interface HostSlotContext {
  readonly isAssigned: boolean;
  /** The present incarnation must end, whether or not another follows. */
  readonly isStale: boolean;
  /** Failure that blocks the slot; undefined: none. */
  readonly problem: Error | undefined;
  readonly delayMs: number;
}

/** Between two reports of a blocked actor, ms: a fact may be lost. */
export const REPORT_AGAIN_MS = 2_000;

const unprovided = (): never => {
  throw new TypeError("the effects of the host slot must be provided");
};

export const hostSlotChart = setup({
  types: { context: {} as HostSlotContext, events: {} as HostSlotEvent },
  actors: {
    incarnate: fromPromise<IncarnationEnd>(unprovided),
    release: fromPromise<void>(unprovided),
  },
  actions: {
    /** Asks the incarnation to save and end. */
    drain: () => undefined,
    report: (_, _problem: Error | undefined) => undefined,
    note: assign((_, changes: Partial<HostSlotContext>) => changes),
  },
  guards: { mustGo: ({ context }) => context.isStale || !context.isAssigned },
  delays: { backOff: ({ context }) => context.delayMs, reportAgain: REPORT_AGAIN_MS },
}).createMachine({
  id: "host-slot",
  context: { isAssigned: false, isStale: false, problem: undefined, delayMs: 0 },
  initial: "absent",
  on: {
    Assigned: {
      actions: {
        type: "note",
        params: ({ context, event }) => ({ isAssigned: true, isStale: context.isStale || event.isNew }),
      },
    },
    Withdrawn: { actions: { type: "note", params: { isAssigned: false } } },
  },
  states: {
    absent: { on: { Assigned: { target: "hosting", actions: { type: "note", params: { isAssigned: true } } } } },
    hosting: {
      entry: { type: "note", params: { isStale: false } },
      invoke: {
        src: "incarnate",
        onDone: [
          { guard: "mustGo", target: "releasing" },
          {
            guard: ({ event }) => event.output.kind === "blocked",
            target: "blocked",
            actions: {
              type: "note",
              params: ({ event }) => ({ problem: event.output.kind === "blocked" ? event.output.error : undefined }),
            },
          },
          {
            target: "retry",
            actions: {
              type: "note",
              params: ({ event: { output } }) =>
                output.kind === "failed"
                  ? { problem: output.error, delayMs: output.delayMs }
                  : { delayMs: output.kind === "left" ? output.delayMs : 0 },
            },
          },
        ],
        onError: {
          target: "blocked",
          actions: { type: "note", params: ({ event }) => ({ problem: event.error as Error }) },
        },
      },
      initial: "acquiringLease",
      states: {
        acquiringLease: { on: { LeaseTaken: "starting" } },
        starting: {
          on: { Started: { target: "running", actions: { type: "note", params: { problem: undefined } } } },
        },
        running: {},
        draining: { entry: "drain" },
      },
      on: {
        Withdrawn: { target: ".draining", actions: { type: "note", params: { isAssigned: false } } },
        Assigned: [
          {
            guard: ({ event }) => event.isNew,
            target: ".draining",
            actions: { type: "note", params: { isAssigned: true, isStale: true } },
          },
          { actions: { type: "note", params: { isAssigned: true } } },
        ],
      },
    },
    retry: {
      always: { guard: "mustGo", target: "releasing" },
      after: { backOff: "hosting" },
    },
    blocked: {
      entry: { type: "report", params: ({ context }) => context.problem },
      always: { guard: "mustGo", target: "releasing" },
      after: { reportAgain: { target: "blocked", reenter: true } },
    },
    releasing: {
      invoke: {
        src: "release",
        onDone: [
          { guard: ({ context }) => context.isAssigned, target: "hosting" },
          { target: "released", actions: { type: "note", params: { problem: undefined } } },
        ],
        onError: [
          { guard: ({ context }) => context.isAssigned, target: "hosting" },
          { target: "released", actions: { type: "note", params: { problem: undefined } } },
        ],
      },
    },
    released: { on: { Assigned: { target: "hosting", actions: { type: "note", params: { isAssigned: true } } } } },
  },
});

/** As published: "acquiringLease", "starting", "starting.retry", "running", "draining", "blocked", ... */
export function slotStateName(state: string): string {
  return state === "retry" ? "starting.retry" : state.replace("hosting.", "");
}
