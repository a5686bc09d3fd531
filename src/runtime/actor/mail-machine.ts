/**
 * The lifecycle of an actor that works through its mail one message at a time, pure. Blocks, gradient models and
 * sections are all of this kind; they differ in the mail that they take and in whether they ever wait for an answer.
 *
 * ```
 * starting --opened--> running.settled
 * running.settled      decides: stopping when asked to, awaiting while an answer is missing, else idle
 * running.idle         takes `idleMail`      --Mail--> running.performing
 * running.awaiting     takes `awaitingMail`  --Mail--> running.performing
 * running.performing   --done--> settled
 *                      --an error that concerns one message (directive "resume")--> counted, settled
 *                      --any other error--> failing
 * Failed               finishes the message at hand, then failing: an effect outside a message reports a fatal error
 * Stop                 finishes the message at hand, then stopping --> stopped
 * failing              closes what is open --> failed (final, with the error as output)
 * ```
 */
import { assign, fromPromise, setup } from "xstate";
import { directiveFor } from "../../errors/index.ts";

export interface MailMachineOptions {
  readonly id: string;
  /** Kinds that a free actor takes, most urgent first. */
  readonly idleMail: readonly string[];
  /** Kinds that it takes while it waits for an answer. */
  readonly awaitingMail: readonly string[];
}

export interface MailContext {
  /** True while an answer is missing without which the actor must not go on. */
  readonly isAwaiting: boolean;
  readonly isStopping: boolean;
  readonly error: Error | undefined;
}

/** `Mail`: a requested message has come; the message itself stays with the effects, no tensor enters the machine. */
export type MailEvent =
  | { readonly type: "Mail" }
  | { readonly type: "Stop" }
  | { readonly type: "Failed"; readonly error: Error };

export interface PerformOutcome {
  /** True when the actor has to wait for an answer before it takes its usual mail. */
  readonly isAwaiting: boolean;
}

interface FailedAct {
  readonly event: { readonly error: unknown };
}

const unprovided = (): never => {
  throw new TypeError("the effects of a mail machine must be provided");
};

export function mailMachine({ id, idleMail, awaitingMail }: MailMachineOptions) {
  const failingAtOnce = {
    target: `#${id}.failing`,
    actions: assign<MailContext, { readonly type: "Failed"; readonly error: Error }, undefined, MailEvent, never>({
      error: ({ event }) => event.error,
    }),
  } as const;
  return setup({
    types: {
      context: {} as MailContext,
      events: {} as MailEvent,
      output: {},
    },
    actors: {
      open: fromPromise<void>(unprovided),
      perform: fromPromise<PerformOutcome>(unprovided),
      close: fromPromise<void>(unprovided),
    },
    actions: {
      /** Asks the mailbox for one message of these kinds; `Mail` follows. */
      requestMail: (_, _kinds: readonly string[]) => undefined,
      /** Gives up the message at hand. */
      dropCurrent: (_, _error: unknown) => undefined,
    },
    guards: {
      hasFailed: ({ context }) => context.error !== undefined,
      isStopping: ({ context }) => context.isStopping,
      isAwaiting: ({ context }) => context.isAwaiting,
      concernsOneMessage: (_, error: unknown) => directiveFor(error) === "resume",
    },
  }).createMachine({
    id,
    context: { isAwaiting: false, isStopping: false, error: undefined },
    initial: "starting",
    on: {
      Stop: { actions: assign({ isStopping: true }) },
      Failed: { actions: assign({ error: ({ context, event }) => context.error ?? event.error }) },
    },
    states: {
      starting: {
        invoke: {
          src: "open",
          onDone: "running",
          onError: { target: "failing", actions: assign({ error: ({ event }) => toError(event.error) }) },
        },
      },
      running: {
        initial: "settled",
        states: {
          settled: {
            always: [
              { guard: "hasFailed", target: `#${id}.failing` },
              { guard: "isStopping", target: `#${id}.stopping` },
              { guard: "isAwaiting", target: "awaiting" },
              { target: "idle" },
            ],
          },
          idle: {
            entry: { type: "requestMail", params: idleMail },
            on: { Mail: "performing", Stop: `#${id}.stopping`, Failed: failingAtOnce },
          },
          awaiting: {
            entry: { type: "requestMail", params: awaitingMail },
            on: { Mail: "performing", Stop: `#${id}.stopping`, Failed: failingAtOnce },
          },
          performing: {
            invoke: {
              src: "perform",
              onDone: { target: "settled", actions: assign({ isAwaiting: ({ event }) => event.output.isAwaiting }) },
              onError: [
                {
                  guard: { type: "concernsOneMessage", params: ({ event }: FailedAct) => event.error },
                  target: "settled",
                  actions: { type: "dropCurrent", params: ({ event }: FailedAct) => event.error },
                },
                { target: `#${id}.failing`, actions: assign({ error: ({ event }) => toError(event.error) }) },
              ],
            },
          },
        },
      },
      stopping: { on: { Failed: {} }, invoke: { src: "close", onDone: "stopped", onError: "stopped" } },
      stopped: { type: "final" },
      failing: { invoke: { src: "close", onDone: "failed", onError: "failed" } },
      failed: { type: "final" },
    },
    output: ({ context }) => (context.error === undefined ? {} : { error: context.error }),
  });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
