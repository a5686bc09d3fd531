/**
 * The chart of every actor with a message loop, pure. A kind brings the states of its activity; the rest is common:
 *
 * ```
 * restoring --opened--> running (parallel)
 *   activity    the kind's own states; MessageTaken and MessageSettled move between them
 *   checkpoint  clean | prepared | snapshotting | writing
 *   source      fixed, or what an `auto` boundary uses: auxiliary | synthetic
 * running   --Stop--> draining: finishes the message at hand; when it saves, waits until receivers have what it sent
 *           --Failed--> closing
 * draining  --done--> saving, where asked to --> closing
 * closing   --> left | failed (with the error as output) | fenced (a newer incarnation has its place)
 * Stop while restoring interrupts the opening --> closing
 * ```
 */
import { assign, fromPromise, setup } from "xstate";
import { isKnowledgeNetError } from "../../errors/index.ts";
import { RETRANSMIT_AFTER_MS } from "../stream/limits.ts";
import type { SaverState } from "./state-saver.ts";

/** Without a message for so long an actor is starved, ms: its sender has retransmitted in vain by then. */
export const STARVED_AFTER_MS = 2 * RETRANSMIT_AFTER_MS;

export interface MessageLifecycleContext {
  readonly isStopping: boolean;
  readonly isSaving: boolean;
  /** The part of the next input that is missing, of a student's section. */
  readonly missing: "input" | "hint";
  readonly error: Error | undefined;
}

export type MessageLifecycleEvent =
  | { readonly type: "Stop"; readonly isSaving: boolean }
  | { readonly type: "Failed"; readonly error: Error }
  | { readonly type: "MessageTaken" }
  | { readonly type: "MessageSettled"; readonly isAwaiting: boolean }
  | { readonly type: "CheckpointMoved"; readonly to: SaverState }
  | { readonly type: "SourceMoved"; readonly to: "auxiliary" | "synthetic" }
  /** Of a gradient model: it has learnt from a gradient. */
  | { readonly type: "WarmedUp" }
  /** Of a student's section: what its next input lacks; and that it asks the feeder where the run stands. */
  | { readonly type: "PartMissing"; readonly part: "input" | "hint" }
  | { readonly type: "ResyncBegun" }
  | { readonly type: "ResyncEnded" }
  /** Of a teacher's section: it opens another version of the teacher. */
  | { readonly type: "VersionLoading" };

const unprovided = (): never => {
  throw new TypeError("the effects of an actor's chart must be provided");
};

const base = setup({
  types: {
    context: {} as MessageLifecycleContext,
    events: {} as MessageLifecycleEvent,
    output: {},
    tags: {} as "brief",
  },
  actors: {
    open: fromPromise<void>(unprovided),
    drain: fromPromise<void, { readonly isSaving: boolean }>(unprovided),
    save: fromPromise<void>(unprovided),
    close: fromPromise<void>(unprovided),
  },
  guards: {
    isStopping: ({ context }) => context.isStopping,
    isSaving: ({ context }) => context.isSaving,
    isFenced: ({ context }) => isKnowledgeNetError(context.error, "KN_FENCED"),
    hasFailed: ({ context }) => context.error !== undefined,
    isAwaiting: ({ event }) => event.type === "MessageSettled" && event.isAwaiting,
    isHintMissing: ({ context }) => context.missing === "hint",
    isInputMissing: ({ context }) => context.missing === "input",
  },
  actions: {
    /** The actor is open: its loop begins. */
    begin: () => undefined,
  },
  delays: { starvedAfter: STARVED_AFTER_MS },
});

/** States of a kind's activity. */
export type ActivityStates = NonNullable<Parameters<typeof base.createMachine>[0]["states"]>;

export interface MessageLifecycleOptions {
  readonly id: string;
  readonly initial: string;
  readonly activity: ActivityStates;
}

const NOT_RUNNING: ReadonlySet<string> = new Set([
  "",
  "restoring",
  "draining",
  "saving",
  "closing",
  "left",
  "failed",
  "fenced",
]);

/** Whether an actor in this state takes messages. */
export function isTakingMessages(state: string): boolean {
  return !NOT_RUNNING.has(state);
}

export type MessageLifecycle = ReturnType<typeof messageLifecycle>;

export function messageLifecycle({ id, initial, activity }: MessageLifecycleOptions) {
  const closed = [
    { guard: "isFenced" as const, target: "fenced" },
    { guard: "hasFailed" as const, target: "failed" },
    { target: "left" },
  ];
  return base.createMachine({
    id,
    context: { isStopping: false, isSaving: false, missing: "input", error: undefined },
    initial: "restoring",
    on: {
      Stop: {
        actions: assign({ isStopping: true, isSaving: ({ context, event }) => context.isSaving || event.isSaving }),
      },
    },
    states: {
      restoring: {
        invoke: {
          src: "open",
          onDone: [{ guard: "isStopping", target: "closing" }, { target: "running" }],
          onError: [
            { guard: "isStopping", target: "closing" },
            { target: "closing", actions: assign({ error: ({ event }) => toError(event.error) }) },
          ],
        },
        on: { Failed: { actions: assign({ error: ({ event }) => event.error }), target: "closing" } },
      },
      running: {
        type: "parallel",
        entry: "begin",
        on: {
          Stop: {
            target: "draining",
            actions: assign({ isStopping: true, isSaving: ({ context, event }) => context.isSaving || event.isSaving }),
          },
          Failed: { target: "closing", actions: assign({ error: ({ event }) => event.error }) },
        },
        states: {
          activity: {
            initial,
            states: activity,
            on: { PartMissing: { actions: assign({ missing: ({ event }) => event.part }) } },
          },
          checkpoint: {
            initial: "clean",
            on: {
              CheckpointMoved: [
                { guard: ({ event }) => event.to === "clean", target: ".clean" },
                { guard: ({ event }) => event.to === "prepared", target: ".prepared" },
                { guard: ({ event }) => event.to === "snapshotting", target: ".snapshotting" },
                { target: ".writing" },
              ],
            },
            states: { clean: {}, prepared: {}, snapshotting: {}, writing: {} },
          },
          source: {
            initial: "fixed",
            on: {
              SourceMoved: [
                { guard: ({ event }) => event.to === "synthetic", target: ".synthetic" },
                { target: ".auxiliary" },
              ],
            },
            states: { fixed: {}, auxiliary: {}, synthetic: {} },
          },
        },
      },
      draining: {
        invoke: {
          src: "drain",
          input: ({ context }) => ({ isSaving: context.isSaving }),
          onDone: [{ guard: "isSaving", target: "saving" }, { target: "closing" }],
          onError: "closing",
        },
        on: { Failed: { target: "closing", actions: assign({ error: ({ event }) => event.error }) } },
      },
      saving: { invoke: { src: "save", onDone: "closing", onError: "closing" } },
      closing: { invoke: { src: "close", onDone: closed, onError: closed } },
      left: { type: "final" },
      failed: { type: "final" },
      fenced: { type: "final" },
    },
    output: ({ context }) => (context.error === undefined ? {} : { error: context.error }),
  });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
