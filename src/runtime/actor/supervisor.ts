/**
 * Supervises one actor: `directiveFor` the error of a failed one decides, at its first start as later. A restart builds
 * the actor again after a back-off (it restores itself from its last checkpoint); too many within a while escalate.
 */
import { type Directive, KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Actor, ActorFactory } from "./actor.ts";
import { createRestartPolicy, type RestartPolicyOptions } from "./restart-policy.ts";

export type SupervisorOptions = RestartPolicyOptions;

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly factory: ActorFactory;
  /** Receives every failure and the directive that follows. */
  readonly onFailure?: (error: Error, directive: Directive) => void;
}

export interface Supervisor {
  /** The present incarnation. */
  readonly actor: Actor;
  readonly restarts: number;
  /** Resolves when the actor has ended for good: with the error that escalated, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
  /** Resolves when an incarnation runs, or `stop` came first. Rejects with the error that escalated before one did. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createSupervisor(options: SupervisorOptions, deps: SupervisorDeps): Supervisor {
  const { clock, log, factory, onFailure } = deps;
  const decide = createRestartPolicy(options, clock);
  const stopping = new AbortController();
  let actor = factory(0);
  let restarts = 0;
  let onRunning: () => void = () => undefined;
  const running = new Promise<void>((resolve) => {
    onRunning = resolve;
  });
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });

  /** One incarnation. @returns the error that ended it, if any. */
  const live = async (): Promise<void | Error> => {
    try {
      await actor.start();
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
    if (restarts > 0) log.info({ actor: actor.id, restarts }, "actor restarted");
    onRunning();
    return actor.ended;
  };

  /** Incarnations until one ends well, is stopped, or a failure escalates. */
  const supervise = async (): Promise<void | Error> => {
    for (;;) {
      const outcome = await live();
      if (!(outcome instanceof Error) || stopping.signal.aborted) return undefined;
      const decision = decide(outcome);
      log.warn({ actor: actor.id, directive: decision.directive, err: outcome }, "actor failed");
      onFailure?.(outcome, decision.directive);
      if (decision.directive !== "restart") return decision.directive === "escalate" ? outcome : undefined;
      await clock.sleep(decision.delayMs, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return undefined;
      restarts += 1;
      actor = factory(restarts);
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
      supervise().then(finish, (error: unknown) => {
        finish(
          new KnowledgeNetError("KN_INVARIANT", {
            attempt: "supervise",
            rule: "a supervisor must not fail",
            cause: error,
          }),
        );
      });
      const failure = await Promise.race([running, ended]);
      if (failure instanceof Error) throw failure;
    },
    async stop() {
      stopping.abort();
      await actor.stop();
      finish();
      await ended;
    },
  };
}
