/**
 * Works through a mailbox, one message at a time. It reports each message to the actor's chart, which decides nothing per
 * message but whether the actor computes, waits or starves.
 */
import { directiveFor } from "../../errors/index.ts";
import type { Mailbox, Message } from "./mailbox.ts";

export interface PerformOutcome {
  /** True when the actor must not take its usual messages before an answer has arrived. */
  readonly isAwaiting: boolean;
}

export interface MessageLoopOptions {
  /** Kinds that a free actor takes, most urgent first. */
  readonly idleKinds: readonly string[];
  /** Kinds that it takes while it awaits an answer. @default the same */
  readonly awaitingKinds?: readonly string[];
}

export interface MessageLoopDeps<M extends Message> {
  readonly mailbox: Mailbox<M>;
  readonly perform: (message: M) => Promise<PerformOutcome>;
  readonly onTaken: () => void;
  readonly onSettled: (isAwaiting: boolean) => void;
  /** The error concerns this message alone (directive "resume"): it is dropped. */
  readonly onDropped: (error: unknown) => void;
  /** Any other error ends the loop. */
  readonly onFailed: (error: Error) => void;
}

export interface MessageLoop {
  start(): void;
  /** Takes no further message. Resolves when the message at hand is done. Safe to call twice, and before `start`. */
  finish(): Promise<void>;
}

export function createMessageLoop<M extends Message>(
  { idleKinds, awaitingKinds = idleKinds }: MessageLoopOptions,
  { mailbox, perform, onTaken, onSettled, onDropped, onFailed }: MessageLoopDeps<M>,
): MessageLoop {
  let isFinishing = false;
  let wake: () => void = () => undefined;
  let running: Promise<void> = Promise.resolve();

  const available = (kinds: readonly string[]): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      mailbox.whenAvailable(kinds, resolve);
    });

  const run = async (): Promise<void> => {
    let isAwaiting = false;
    for (;;) {
      const kinds = isAwaiting ? awaitingKinds : idleKinds;
      if (isFinishing) return;
      await available(kinds);
      // `finish` may be called meanwhile: the message stays in the mailbox, which rejects it when it closes.
      if (isFinishing) return;
      const message = mailbox.take(kinds);
      if (message === undefined) continue;
      onTaken();
      try {
        ({ isAwaiting } = await perform(message));
      } catch (error) {
        if (directiveFor(error) !== "resume") {
          onFailed(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        onDropped(error);
      }
      onSettled(isAwaiting);
    }
  };

  return {
    start() {
      running = run();
    },
    async finish() {
      isFinishing = true;
      wake();
      await running;
    },
  };
}
