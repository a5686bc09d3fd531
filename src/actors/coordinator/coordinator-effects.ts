/** The commands that a coordinator sends in the states of its chart, and the commits of checkpoints. */
import { type ErrorCode, isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import { type Command, type CommandReply, failureOf } from "../../messages/index.ts";
import { allOrAbort, type ControlChannel, requestWithRetry } from "../../runtime/actor/index.ts";
import { RETRANSMIT_AFTER_MS } from "../../runtime/stream/index.ts";
import { type CheckpointRounds, createCheckpointRounds } from "./checkpoint-rounds.ts";
import type { SaveInput } from "./coordinator-lifecycle.ts";
import { type CoordinatorDeps, type CoordinatorOptions, SAVE_DEADLINE_MS } from "./coordinator-options.ts";
import type { CoordinatorState } from "./coordinator-state.ts";

/** At the end of a run the coordinator waits for gradients in flight: so often, and so long each time, ms. */
const SETTLE_ROUNDS = 20;
const SETTLE_EVERY_MS = 100;
/** Tries of the save at the end of an epoch: the run continues without it, and the next generation replaces it. */
const EPOCH_SAVE_TRIES = 3;
/**
 * Failures that may pass: a full disk, a mirror that is behind, an incarnation whose successor answers the next command, a
 * store that is away. An absent actor is none of them: its requests have a deadline of their own.
 */
const MAY_PASS: Readonly<Record<"save" | "commit", readonly ErrorCode[]>> = {
  save: ["KN_CHECKPOINT", "KN_OVERLOADED", "KN_FENCED"],
  commit: ["KN_CHECKPOINT", "KN_UNAVAILABLE"],
};

export interface CoordinatorEffects {
  readonly rounds: CheckpointRounds;
  awaitActors(signal: AbortSignal): Promise<void>;
  startFeeding(signal: AbortSignal): Promise<void>;
  pauseFeeding(signal: AbortSignal): Promise<void>;
  /**
   * Saves every stateful actor and commits: at the step of the mark, or, when late, wherever each actor stands. Retries a
   * failure that may pass: the last save of a run until the save deadline, then rejects; the save of an epoch a few times,
   * then abandons the generation with a warning.
   */
  saveAll(input: SaveInput, signal: AbortSignal): Promise<void>;
}

export function createCoordinatorEffects(
  options: CoordinatorOptions,
  { clock, log, checkpoints }: CoordinatorDeps,
  channel: ControlChannel,
  state: CoordinatorState,
): CoordinatorEffects {
  const { id, feeder, learners, gradientModels, attempt, phase, readyDeadlineMs } = options;
  const { saveDeadlineMs = SAVE_DEADLINE_MS } = options;
  const stateful = [...learners, ...gradientModels];
  const [firstLearner = ""] = learners;

  const request = (
    actor: string,
    command: Command,
    signal: AbortSignal,
    withinMs = readyDeadlineMs,
  ): Promise<CommandReply> =>
    requestWithRetry(channel, actor, command, { clock, deadlineMs: clock.now() + withinMs, signal });

  const report = async (actor: string, signal: AbortSignal): Promise<void> => {
    const reply = await request(actor, { kind: "ReportState" }, signal);
    if (reply.kind === "ActorState") state.report(actor, reply, clock.wallTimeMs());
  };

  let committing: Promise<unknown> = Promise.resolve();
  /** One commit after the other, oldest first: a slow one must not replace a newer generation. */
  const commit = (generation: number, sequence: number, actors: Readonly<Record<string, string>>): Promise<void> => {
    const mine = committing.then(async () => {
      if (generation < state.generation) return;
      const epoch = state.epochs;
      const manifest = { attempt, generation, sequence, step: generation, epoch, phase, actors };
      await checkpoints.commit(manifest, options.fence);
      state.commit(generation);
    });
    committing = mine.catch(() => undefined);
    return mine;
  };

  const rounds = createCheckpointRounds(
    {
      actors: stateful,
      everySteps: options.saveEverySteps ?? 0,
      window: options.window ?? 0,
      deadlineMs: saveDeadlineMs,
    },
    {
      clock,
      log: log.child({ actor: id }),
      order: request,
      send: (actor, command) => {
        channel.order(actor, command).catch(() => undefined);
      },
      commit: (generation, states) =>
        commit(generation, state.progressOf(firstLearner)?.consumed ?? 0, Object.fromEntries(states)),
    },
  );

  /** Waits for gradients in flight at the end of the run; batches without one are counted as unanswered. */
  const settle = async (signal: AbortSignal): Promise<void> => {
    for (let round = 1; round <= SETTLE_ROUNDS; round += 1) {
      if (learners.every((learner) => (state.progressOf(learner)?.pending ?? 0) === 0)) return;
      await clock.sleep(SETTLE_EVERY_MS, signal);
      await allOrAbort(learners, signal, report);
    }
    for (const learner of learners) state.closeAccount(learner);
  };

  /** Every batch of the evaluation is consumed: samples that are missing now were lost with an actor. */
  const checkEvaluation = (): void => {
    const short = state.shortEvaluation;
    if (short === undefined) return;
    const error = new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: `complete evaluation ${short.evaluation}`,
      rule: `all ${short.expected} samples must be measured`,
      value: String(short.samples),
      remedy: "an actor crashed in it: evaluate the exported model, or wait for the next evaluation",
    });
    log.warn({ actor: id, err: error }, "evaluation failed");
    channel.emit({ ...failureOf(error), directive: "resume" });
  };

  const save = async (actor: string, generation: number, signal: AbortSignal): Promise<readonly [string, string]> => {
    // Answered when the state is durable: a large one over a slow link is no absent actor.
    const withinMs = Math.max(readyDeadlineMs, saveDeadlineMs);
    const reply = await request(actor, { kind: "SaveCheckpoint", generation }, signal, withinMs);
    if (reply.kind === "CheckpointSaved") return [actor, reply.digest];
    throw new KnowledgeNetError("KN_INVARIANT", {
      attempt: `save ${actor}`,
      rule: "the reply to SaveCheckpoint must be CheckpointSaved",
      value: reply.kind,
    });
  };

  /** Where the run stands though batches are in flight: an actor behind the first one counts those as skipped. */
  const furthest = (): { readonly step: number; readonly sequence: number } => ({
    step: Math.max(0, ...learners.map((learner) => state.progressOf(learner)?.step ?? 0)),
    sequence: state.progressOf(firstLearner)?.consumed ?? 0,
  });

  const saveWithRetry = async (
    step: number,
    sequence: number,
    { isLast, isLate, isStopping }: SaveInput,
    signal: AbortSignal,
  ): Promise<void> => {
    const isRequired = isLast || (isStopping && !isLate);
    const deadlineMs = clock.now() + saveDeadlineMs;
    for (let tries = 1; ; tries += 1) {
      let part: keyof typeof MAY_PASS = "save";
      try {
        rounds.supersede(step);
        const saved = await allOrAbort(stateful, signal, (actor, either) => save(actor, step, either));
        part = "commit";
        await commit(step, sequence, Object.fromEntries(saved));
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!isKnowledgeNetError(error, ...MAY_PASS[part])) throw error;
        const isLastTry = isRequired ? clock.now() >= deadlineMs : tries >= EPOCH_SAVE_TRIES;
        const consequence = isRequired ? "the run ends without it" : "the next generation replaces it";
        const outcome = isLastTry ? consequence : "another try follows";
        log.warn({ actor: id, generation: step, tries, err: error }, `checkpoint not committed; ${outcome}`);
        if (isLastTry) {
          if (isRequired || isLate) throw error;
          channel.emit({ ...failureOf(error), directive: "resume" });
          return;
        }
      }
      await clock.sleep(RETRANSMIT_AFTER_MS, signal);
    }
  };

  return {
    rounds,
    async awaitActors(signal) {
      await allOrAbort([feeder, ...stateful, ...options.teachers], signal, report);
    },
    async startFeeding(signal) {
      await request(feeder, { kind: "StartFeeding" }, signal);
    },
    async pauseFeeding(signal) {
      await request(feeder, { kind: "PauseFeeding" }, signal);
    },
    async saveAll(input, signal) {
      const { isLate } = input;
      const { mark } = state;
      await allOrAbort(stateful, signal, report);
      if (mark?.mark === "finished") await settle(signal);
      if (!isLate) checkEvaluation();
      const { step, sequence } = isLate || mark === undefined ? furthest() : mark;
      if (step === 0 || (isLate && step <= state.generation)) return; // nothing was learnt since
      await saveWithRetry(step, sequence, input, signal);
    },
  };
}
