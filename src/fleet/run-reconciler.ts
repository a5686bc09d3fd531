/**
 * Reconciles a run at each tick of its controller: passes the desired state to the coordinator, moves the actors of
 * lost nodes, appends the history, writes the status. The next tick repeats a failed step.
 */
import type { ControlChannel } from "../runtime/actor/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import type { Fleet } from "./fleet.ts";
import { reassignLostActors } from "./reassign.ts";
import type { RunRecordEntry } from "./records.ts";
import { type RunTerm, type StatusFacts, statusOf } from "./run-term.ts";

/** Absence of a node after which its actors move, ms: long enough for a restart. */
export const MOVE_AFTER_MS = 15_000;

export interface ReconcilerDeps {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Logger;
  readonly channel: ControlChannel;
  /** The run's current record. */
  readonly current: () => RunRecordEntry;
  readonly facts: () => StatusFacts;
  readonly tell: (event: "Placed" | "ActorsLost" | "ActorsPlaced") => void;
}

export interface Reconciler extends AsyncDisposable {
  /** Never rejects. */
  tick(): Promise<void>;
}

export function createReconciler(
  { term, node }: { readonly term: RunTerm; readonly node: string },
  { fleet, clock, log, channel, current, facts, tell }: ReconcilerDeps,
): Reconciler {
  const { run } = term.record;
  const missingSince = new Map<string, number>();
  /** Failure that blocks an actor, by the slot that reported it. */
  const problems = new Map<string, string>();
  const watching = channel.watch("*", ({ header, fact }) => {
    if (fact.kind === "Failure") problems.set(header.sender, fact.message);
    if (fact.kind === "StateEntered" && ["running", "released"].includes(fact.state)) problems.delete(header.sender);
  });

  const tryTo = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn({ run, err: error }, `could not ${what}; the next tick repeats it`);
    }
  };

  const steer = (): void => {
    const { desired, attempt } = current();
    if (attempt !== term.record.attempt) term.coordinator?.abandon();
    else if (desired === "stopping") term.coordinator?.requestStop();
  };

  const moveLostActors = async (): Promise<void> => {
    const nodes = await fleet.nodes.all();
    const present = new Set(nodes.map(({ name }) => name));
    const record = current();
    const hosts = new Set(Object.values(record.actors));
    const now = clock.now();
    for (const name of missingSince.keys()) if (present.has(name) || !hosts.has(name)) missingSince.delete(name);
    for (const name of hosts) if (!present.has(name)) missingSince.set(name, missingSince.get(name) ?? now);
    if (missingSince.size > 0) tell("ActorsLost");
    else tell("ActorsPlaced");
    const lost = new Set([...missingSince].filter(([, since]) => now - since >= MOVE_AFTER_MS).map(([name]) => name));
    const moves = reassignLostActors(record, lost, nodes);
    if (Object.keys(moves).length === 0) return;
    await fleet.runs.change(run, (value) =>
      value.attempt === term.record.attempt ? { ...value, actors: { ...value.actors, ...moves } } : undefined,
    );
    log.warn({ run, lost: [...lost], moves }, "actors moved from lost nodes");
  };

  return {
    async tick() {
      steer();
      if (term.coordinator !== undefined && !["", "preparing"].includes(term.coordinator.state)) tell("Placed");
      await tryTo("move the actors of lost nodes", moveLostActors);
      await tryTo("append the history", async () => {
        if (term.coordinator !== undefined) await term.history.append(term.coordinator.record);
      });
      await tryTo("write the status", async () => {
        const problem = [...problems.values()].at(-1);
        await term.writeStatus(statusOf(term, { ...facts(), node, ...(problem === undefined ? {} : { problem }) }));
      });
    },
    [Symbol.asyncDispose]() {
      watching.unsubscribe();
      return Promise.resolve();
    },
  };
}
