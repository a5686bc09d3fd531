/**
 * Keeps one actor alive: when it fails, `directiveFor` its error decides. A restart builds it anew (it restores itself
 * from its last checkpoint) after a back-off; too many within a while escalate.
 */
import { type Directive, directiveFor, KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Actor, ActorFactory } from "./actor.ts";

export interface SupervisorOptions {
  /** First pause before a restart, ms; doubles with each one. @default 200 */
  readonly backoffMs?: number;
  /** Longest pause, ms. @default 10000 */
  readonly maxBackoffMs?: number;
  /** Restarts within `windowMs` before the failure escalates. @default 5 */
  readonly maxRestarts?: number;
  /** @default 60000 */
  readonly windowMs?: number;
}

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly factory: ActorFactory;
  /** Told of every failure and what is done about it. */
  readonly onFailure?: (error: Error, directive: Directive) => void;
}

export interface Supervisor {
  /** The present incarnation. */
  readonly actor: Actor;
  readonly restarts: number;
  /** Resolves when the actor has ended for good: with the error that escalated, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
  /** Starts the first incarnation. Rejects with what kept it from starting. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createSupervisor(options: SupervisorOptions, deps: SupervisorDeps): Supervisor {
  const { backoffMs = 200, maxBackoffMs = 10_000, maxRestarts = 5, windowMs = 60_000 } = options;
  const { clock, log, factory, onFailure } = deps;
  const stopping = new AbortController();
  const failureTimes: number[] = [];
  let actor = factory(0);
  let restarts = 0;
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });

  const decide = (error: Error): Directive => {
    const directive = directiveFor(error);
    if (directive !== "restart" && directive !== "resume") return directive;
    const now = clock.now();
    failureTimes.push(now);
    while ((failureTimes[0] ?? now) < now - windowMs) failureTimes.shift();
    return failureTimes.length > maxRestarts ? "escalate" : "restart";
  };

  /** Follows incarnations until one ends well, is stopped, or a failure escalates. */
  const follow = async (): Promise<void | Error> => {
    for (;;) {
      const outcome = await actor.ended;
      if (!(outcome instanceof Error) || stopping.signal.aborted) return undefined;
      const directive = decide(outcome);
      log.warn({ actor: actor.id, directive, err: outcome }, "actor failed");
      onFailure?.(outcome, directive);
      if (directive === "stop") return undefined;
      if (directive === "escalate") return outcome;
      const started = await restart();
      if (started !== undefined) return started;
      if (stopping.signal.aborted) return undefined;
    }
  };

  /** @returns the error when it cannot be started again either. */
  const restart = async (): Promise<Error | undefined> => {
    for (;;) {
      try {
        await clock.sleep(Math.min(backoffMs * 2 ** (failureTimes.length - 1), maxBackoffMs), stopping.signal);
      } catch {
        return undefined; // stopped while waiting
      }
      restarts += 1;
      actor = factory(restarts);
      try {
        await actor.start();
        log.info({ actor: actor.id, restarts }, "actor restarted");
        return undefined;
      } catch (cause) {
        const error = cause instanceof Error ? cause : new Error(String(cause));
        const directive = decide(error);
        onFailure?.(error, directive);
        if (directive !== "restart") return error;
      }
    }
  };

  return {
    get actor() {
      return actor;
    },
    get restarts() {
      return restarts;
    },
    ended,
    async start() {
      try {
        await actor.start();
      } catch (error) {
        finish(error instanceof Error ? error : new Error(String(error)));
        throw error;
      }
      follow().then(finish, (error: unknown) => {
        finish(
          new KnowledgeNetError("KN_INVARIANT", {
            attempt: "supervise",
            rule: "a supervisor must not fail",
            cause: error,
          }),
        );
      });
    },
    async stop() {
      stopping.abort();
      await actor.stop();
      finish();
      await ended;
    },
  };
}
