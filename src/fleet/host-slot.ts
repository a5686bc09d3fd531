/**
 * Hosts one actor of a run on this node for as long as it is assigned here: host-slot-chart.ts with its effects. One
 * incarnation is one lease, one fencing token and one actor, released together when it ends, however it ends.
 */
import { fromPromise } from "xstate";
import { failureOf } from "../messages/index.ts";
import { type Actor, createControlChannel, createRestartPolicy, hostMachine } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { acquireLease, type Lease, type LeaseDeps } from "../runtime/lease/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { abortOf } from "./abort.ts";
import { hostSlotChart, type IncarnationEnd, slotStateName } from "./host-slot-chart.ts";
import { PRESENCE_TTL_MS } from "./records.ts";

export interface HostSlotOptions {
  readonly run: string;
  readonly id: string;
  /** Name and instance of this node. */
  readonly node: string;
  readonly instance: string;
}

export interface HostSlotDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leases: Pick<LeaseDeps, "leases" | "fences">;
  /** Called when its lease is confirmed again. */
  readonly onConfirmed?: () => void;
}

/** What the slot hosts. */
export interface Assignment {
  /** Identifies the composition: another signature requires another incarnation. */
  readonly signature: string;
  /** Resolves when the actors on this node that it needs run. Rejects with `signal.reason` on abort. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  /** Prepares the resources of the actor. @returns factory of one incarnation */
  readonly compose: () => Promise<(fence: number) => Actor>;
  /** Closes the actor's compute worker; called when the actor is withdrawn or has another composition. */
  readonly release: () => Promise<void>;
}

export interface HostSlot extends AsyncDisposable {
  readonly id: string;
  /**
   * Of the slot, and while it runs that of the actor: "acquiringLease", "starting.retry", "running.idle", "blocked".
   */
  readonly state: string;
  /** Of the slot alone. */
  readonly slotState: string;
  readonly restarts: number;
  /** Failure that blocks the slot; undefined: none. */
  readonly problem: Error | undefined;
  /** False while it holds an actor whose lease is unconfirmed. */
  readonly isConfirmed: boolean;
  /** Desired state: hosted with `assignment`. */
  assign(assignment: Assignment): void;
  /** Desired state: not hosted here. */
  withdraw(): void;
  /** Resolves when the actor runs, now or later. Rejects with `signal.reason` on abort. */
  whenRunning(signal: AbortSignal): Promise<void>;
  /** Resolves when the slot holds no lease, actor or worker. */
  whenReleased(): Promise<void>;
}

/** End of a withdrawn incarnation: without back-off if it is assigned again. */
const left: IncarnationEnd = { kind: "left", delayMs: 0 };
/** Pause before an actor that lost its lease, or left by itself, is hosted again, ms. */
const RETRY_MS = 2_000;

const isReleased = (state: string): boolean => state === "absent" || state === "released";

export function createHostSlot(options: HostSlotOptions, deps: HostSlotDeps): HostSlot {
  const { run, id } = options;
  const { bus, clock, log } = deps;
  const channel = createControlChannel({ run, actor: `slot-${id}` }, { bus, log });
  const decide = createRestartPolicy({ isPatient: true }, clock);
  let desired: Assignment | undefined;
  /** The assignment of the present incarnation, released at its end. */
  let held: Assignment | undefined;
  let leaving = new AbortController();
  let actor: Actor | undefined;
  let lease: Lease | undefined;
  let restarts = 0;

  /** The chart's event for the end of an incarnation. */
  const judge = (error: unknown): IncarnationEnd => {
    const failure = error instanceof Error ? error : new Error(String(error));
    const decision = decide(failure);
    log.warn({ actor: id, directive: decision.directive, err: failure }, "actor failed");
    channel.emit({ ...failureOf(failure), directive: decision.directive });
    if (decision.directive === "escalate") return { kind: "blocked", error: failure };
    restarts += 1;
    return { kind: "failed", error: failure, delayMs: decision.directive === "restart" ? decision.delayMs : RETRY_MS };
  };

  const incarnate = async (assignment: Assignment): Promise<void | Error> => {
    const { signal } = leaving;
    await assignment.ready(signal);
    await using granted = await acquireLease(
      {
        key: `${run}.${id}`,
        holder: options.node,
        instance: options.instance,
        ttlMs: PRESENCE_TTL_MS,
        onConfirmed: () => deps.onConfirmed?.(),
      },
      { ...deps.leases, clock, log },
      signal,
    );
    lease = granted;
    host.send({ type: "LeaseTaken" });
    const create = await assignment.compose();
    signal.throwIfAborted();
    await using started = startActor(create(granted.fence), granted);
    actor = started.actor;
    const end = Promise.race([granted.ended, abortOf(signal)]);
    const isStarted = await Promise.race([started.start().then(() => true), end.then(() => false)]);
    if (isStarted) {
      log.info({ actor: id, fence: granted.fence }, "actor hosted");
      host.send({ type: "Started" });
    }
    return await Promise.race([end, started.actor.ended]);
  };

  const chart = hostSlotChart.provide({
    actors: {
      incarnate: fromPromise<IncarnationEnd>(async () => {
        leaving = new AbortController();
        held = desired;
        if (held === undefined) return left;
        try {
          const outcome = await incarnate(held);
          if (leaving.signal.aborted) return left;
          return outcome instanceof Error ? judge(outcome) : { kind: "left", delayMs: RETRY_MS };
        } catch (error) {
          return leaving.signal.aborted ? left : judge(error);
        } finally {
          actor = undefined;
          lease = undefined;
        }
      }),
      release: fromPromise(async () => {
        await held?.release();
        held = undefined;
      }),
    },
    actions: {
      drain: () => {
        leaving.abort(new Error(`${id} is no longer assigned here`));
      },
      report: (_, problem) => {
        if (problem !== undefined) channel.emit({ ...failureOf(problem), directive: "escalate" });
      },
    },
  });
  const host = hostMachine(chart, undefined as never, {
    clock,
    onState: (state) => {
      channel.emit({ kind: "StateEntered", state: slotStateName(state) });
      log.debug({ actor: id, state: slotStateName(state) }, "slot");
    },
  });
  host.start();

  const slot: HostSlot = {
    id,
    get state() {
      return host.state === "hosting.running" ? (actor?.state ?? "running") : slotStateName(host.state);
    },
    get slotState() {
      return slotStateName(host.state);
    },
    get restarts() {
      return restarts;
    },
    get problem() {
      return host.context.problem;
    },
    get isConfirmed() {
      return lease === undefined || lease.isConfirmed;
    },
    assign(assignment) {
      const isNew = desired !== undefined && desired.signature !== assignment.signature;
      desired = assignment;
      host.send({ type: "Assigned", isNew });
    },
    withdraw() {
      desired = undefined;
      host.send({ type: "Withdrawn" });
    },
    async whenRunning(signal) {
      await Promise.race([host.waitFor((state) => state === "hosting.running"), rejectionOf(signal)]);
    },
    whenReleased: () => host.waitFor(isReleased),
    async [Symbol.asyncDispose]() {
      slot.withdraw();
      await slot.whenReleased();
      host.stop();
    },
  };
  return slot;
}

/** The actor, stopped at the end of the scope: saved first, unless its lease is lost and a successor may have begun. */
function startActor(
  actor: Actor,
  lease: Lease,
): AsyncDisposable & { readonly actor: Actor; readonly start: () => Promise<void> } {
  let isBegun = false;
  let hasEnded = false;
  void actor.ended.then(() => {
    hasEnded = true;
  });
  return {
    actor,
    start() {
      isBegun = true;
      return actor.start();
    },
    async [Symbol.asyncDispose]() {
      if (isBegun && !hasEnded) await actor.stop({ isSaving: lease.isConfirmed });
    },
  };
}

async function rejectionOf(signal: AbortSignal): Promise<never> {
  await abortOf(signal);
  throw signal.reason;
}
