/**
 * Hosts one actor of a run on this node for as long as it is wanted here: under its lease, supervised, and again when it
 * lost the lease and nobody else is wanted.
 */
import { isKnowledgeNetError } from "../errors/index.ts";
import { failureOf } from "../messages/index.ts";
import { type Actor, createControlChannel, createSupervisor, type Supervisor } from "../runtime/actor/index.ts";
import { acquireLease, createLeasedActor } from "../runtime/lease/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { KeyValue } from "../runtime/store/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { PRESENCE_TTL_MS } from "./records.ts";

export interface ActorHostOptions {
  readonly run: string;
  readonly id: string;
  /** Name and life of this node. */
  readonly node: string;
  readonly instance: string;
  readonly create: (fence: number) => Actor;
}

export interface ActorHostDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leases: KeyValue;
  readonly fences: KeyValue;
}

export interface ActorHost {
  readonly id: string;
  readonly state: string;
  readonly restarts: number;
  /** Resolves when it runs for the first time, or is stopped before. Never rejects: what keeps it from starting is told as a fact. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
}

/** Pause before an actor that lost its lease is tried again, ms; and between two tellings of a failure. */
const RETRY_MS = 2_000;

export function createActorHost(options: ActorHostOptions, deps: ActorHostDeps): ActorHost {
  const { run, id, node, instance, create } = options;
  const { bus, clock, log, leases, fences } = deps;
  const stopping = new AbortController();
  const channel = createControlChannel({ run, actor: `supervisor-${id}` }, { bus, log });
  let supervisor: Supervisor | undefined;
  let restarts = 0;
  let onStarted: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    onStarted = resolve;
  });

  const supervise = (): Supervisor =>
    createSupervisor(
      {},
      {
        clock,
        log,
        factory: () =>
          createLeasedActor({
            id,
            acquire: (signal) =>
              acquireLease(
                { key: `${run}.${id}`, holder: node, instance, ttlMs: PRESENCE_TTL_MS },
                { leases, fences, clock, log },
                signal,
              ),
            create,
          }),
        onFailure(error, directive) {
          restarts += 1;
          channel.emit({ ...failureOf(error), directive });
        },
      },
    );

  /** A failure that ends the run is told until the run has ended: a fact may be lost. */
  const tell = async (error: Error): Promise<void> => {
    while (!stopping.signal.aborted) {
      channel.emit({ ...failureOf(error), directive: "escalate" });
      await clock.sleep(RETRY_MS, stopping.signal).catch(() => undefined);
    }
  };

  const keep = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      supervisor = supervise();
      let outcome: void | Error;
      try {
        await supervisor.start();
        onStarted();
        outcome = await supervisor.ended;
      } catch (error) {
        outcome = error instanceof Error ? error : new Error(String(error));
      }
      if (stopping.signal.aborted) return;
      if (isKnowledgeNetError(outcome, "KN_UNAVAILABLE")) {
        // The server went away just then. What is away comes back, and so does the actor.
        log.warn({ actor: id, err: outcome }, "actor not started; trying again");
      } else if (outcome instanceof Error) {
        log.error({ actor: id, err: outcome }, "actor cannot go on");
        onStarted();
        await tell(outcome);
        return;
      } else {
        log.info({ actor: id }, "actor lost its place");
      }
      await clock.sleep(RETRY_MS, stopping.signal).catch(() => undefined);
    }
  };
  const kept = keep();

  return {
    id,
    get state() {
      return supervisor?.actor.state ?? "waiting";
    },
    get restarts() {
      return restarts;
    },
    started,
    async stop() {
      stopping.abort(new Error(`${id} is no longer wanted here`));
      onStarted();
      await supervisor?.stop();
      await kept;
    },
  };
}
