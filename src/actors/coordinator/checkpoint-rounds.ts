/**
 * Checkpoints within an epoch, a barrier of the run: the coordinator picks a generation that no actor has passed, every
 * stateful actor saves exactly that generation, and the manifest is committed once all of them have. One generation is in
 * flight at a time. All actors save a generation, or the run skips it:
 *
 * ```
 * idle      --step approaches--> preparing   G: the next multiple of everySteps beyond published + window
 * preparing --all actors accept--> collecting
 *           --an actor is past G--> abandoned, then a later G
 * collecting --all actors saved--> committing --> idle
 *           --restart of an actor, a failed command, or the deadline--> abandoned --> idle
 * ```
 *
 * An actor reports a save with a fact, which the bus may lose: actors that have not reported are asked again.
 */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Command, CommandReply } from "../../messages/index.ts";
import type { Clock, TimerHandle } from "../../runtime/clock/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface CheckpointRoundsOptions {
  /** Every actor that has a state. */
  readonly actors: readonly string[];
  /** Training steps between two generations; 0: none. */
  readonly everySteps: number;
  /** Batches between the feeder and the slowest learner: an actor may be so far ahead of what is known of it. */
  readonly window: number;
  /** From the first save of a generation to the last one, ms. */
  readonly deadlineMs: number;
}

export interface CheckpointRoundsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Sends a command until the actor answers. */
  readonly order: (actor: string, command: Command, signal: AbortSignal) => Promise<CommandReply>;
  /** Sends a command once: an actor that does not receive it replaces the generation by the next one. */
  readonly send: (actor: string, command: Command) => void;
  /** Declares a generation complete. */
  readonly commit: (generation: number, states: ReadonlyMap<string, string>) => Promise<void>;
}

export interface CheckpointRounds {
  /** Generation in flight; 0: none. */
  readonly generation: number;
  readonly state: "idle" | "preparing" | "collecting" | "committing";
  /** Learners have taken batches up to `step`: begins a generation when none is in flight. */
  advance(step: number): void;
  /** An actor reported its save, with the digest of its state. */
  saved(actor: string, generation: number, digest: string): void;
  /** An actor published with this fencing token: a higher one than before is a restart. */
  observe(actor: string, fence: number): void;
  /** Everything up to `generation` is saved by command: an older generation in flight is not needed any more. */
  supersede(generation: number): void;
  close(): void;
}

/** The next generation that no actor can have passed. */
export function nextGeneration(everySteps: number, published: number, window: number): number {
  return (Math.floor((published + window) / everySteps) + 1) * everySteps;
}

interface Round {
  readonly generation: number;
  readonly accepted: Set<string>;
  /** Actors with a request under way: it is repeated until there is an answer, so a second one would add nothing. */
  readonly asking: Set<string>;
  /** Digest of each saved state. */
  readonly saved: Map<string, string>;
  readonly ended: AbortController;
  state: CheckpointRounds["state"];
  retry: TimerHandle | undefined;
  deadline: TimerHandle | undefined;
}

export function createCheckpointRounds(options: CheckpointRoundsOptions, deps: CheckpointRoundsDeps): CheckpointRounds {
  const { actors, everySteps, window, deadlineMs } = options;
  const { clock, log, order, send, commit } = deps;
  const fences = new Map<string, number>();
  let round: Round | undefined;
  let tried = 0;
  let isClosed = false;

  const end = (ended: Round): void => {
    ended.ended.abort();
    if (ended.retry !== undefined) clock.clearTimeout(ended.retry);
    if (ended.deadline !== undefined) clock.clearTimeout(ended.deadline);
    if (round === ended) round = undefined;
  };

  const abandon = (abandoned: Round, reason: string): void => {
    if (round !== abandoned) return;
    const { generation, saved } = abandoned;
    end(abandoned);
    log.info({ generation, saved: [...saved.keys()], reason }, "checkpoint skipped");
    for (const actor of actors) send(actor, { kind: "AbandonCheckpoint", generation });
  };

  const ask = async (of: Round, actor: string): Promise<void> => {
    const { generation, ended, asking } = of;
    if (asking.has(actor)) return;
    asking.add(actor);
    try {
      const reply = await order(actor, { kind: "PrepareCheckpoint", generation }, ended.signal);
      if (round !== of) return;
      if (reply.kind === "CheckpointSaved") rounds.saved(actor, generation, reply.digest);
      of.accepted.add(actor);
      if (of.state === "preparing" && of.accepted.size === actors.length) of.state = "collecting";
    } catch (error) {
      if (ended.signal.aborted) return;
      if (isKnowledgeNetError(error, "KN_STALE")) abandon(of, `${actor} is past it`);
      else abandon(of, `${actor}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      asking.delete(actor);
    }
  };

  const retryLater = (of: Round): void => {
    of.retry = clock.setTimeout(() => {
      for (const actor of actors) if (!of.saved.has(actor)) void ask(of, actor);
      retryLater(of);
    }, RETRANSMIT_AFTER_MS);
  };

  const begin = (generation: number): void => {
    const begun: Round = {
      generation,
      accepted: new Set(),
      asking: new Set(),
      saved: new Map(),
      ended: new AbortController(),
      state: "preparing",
      retry: undefined,
      deadline: undefined,
    };
    round = begun;
    tried = generation;
    for (const actor of actors) void ask(begun, actor);
  };

  const complete = async (of: Round): Promise<void> => {
    of.state = "committing";
    if (of.retry !== undefined) clock.clearTimeout(of.retry);
    if (of.deadline !== undefined) clock.clearTimeout(of.deadline);
    try {
      await commit(of.generation, of.saved);
    } catch (error) {
      log.warn({ generation: of.generation, err: error }, "checkpoint not committed; the next generation replaces it");
    } finally {
      end(of);
    }
  };

  const rounds: CheckpointRounds = {
    get generation() {
      return round?.generation ?? 0;
    },
    get state() {
      return round?.state ?? "idle";
    },
    advance(step) {
      if (isClosed || everySteps === 0 || round !== undefined || actors.length === 0) return;
      begin(nextGeneration(everySteps, Math.max(step, tried - window), window));
    },
    saved(actor, generation, digest) {
      if (round?.generation !== generation || round.state === "committing" || !actors.includes(actor)) return;
      const of = round;
      if (of.saved.size === 0) {
        of.deadline = clock.setTimeout(() => {
          abandon(of, `not every actor saved it within ${deadlineMs} ms`);
        }, deadlineMs);
        retryLater(of);
      }
      of.saved.set(actor, digest);
      if (of.saved.size === actors.length) void complete(of);
    },
    observe(actor, fence) {
      if (!actors.includes(actor)) return;
      const known = fences.get(actor);
      if (known !== undefined && fence <= known) return;
      fences.set(actor, fence);
      if (known !== undefined && round !== undefined && !round.saved.has(actor)) abandon(round, `${actor} restarted`);
    },
    supersede(generation) {
      tried = Math.max(tried, generation);
      if (round !== undefined && round.generation <= generation && round.state !== "committing") end(round);
    },
    close() {
      isClosed = true;
      if (round !== undefined) end(round);
    },
  };
  return rounds;
}
