/** The commands that a coordinator sends in the states of its chart, and the commits of checkpoints. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type Command, type CommandReply, failureOf } from "../../messages/index.ts";
import { type ControlChannel, requestWithRetry } from "../../runtime/actor/index.ts";
import { type CheckpointRounds, createCheckpointRounds } from "./checkpoint-rounds.ts";
import type { SaveInput } from "./coordinator-lifecycle.ts";
import { type CoordinatorDeps, type CoordinatorOptions, SAVE_DEADLINE_MS } from "./coordinator-options.ts";
import type { CoordinatorState } from "./coordinator-state.ts";

/** At the end of a run the coordinator waits for gradients in flight: so often, and so long each time, ms. */
const SETTLE_ROUNDS = 20;
const SETTLE_EVERY_MS = 100;

export interface CoordinatorEffects {
  readonly rounds: CheckpointRounds;
  awaitActors(signal: AbortSignal): Promise<void>;
  startFeeding(signal: AbortSignal): Promise<void>;
  pauseFeeding(signal: AbortSignal): Promise<void>;
  /** Saves every stateful actor and commits: at the step of the mark, or, when late, wherever each actor stands. */
  saveAll(input: SaveInput, signal: AbortSignal): Promise<void>;
}

export function createCoordinatorEffects(
  options: CoordinatorOptions,
  { clock, log, checkpoints }: CoordinatorDeps,
  channel: ControlChannel,
  state: CoordinatorState,
): CoordinatorEffects {
  const { id, feeder, learners, companions, attempt, phase } = options;
  const stateful = [...learners, ...companions];
  const [firstLearner = ""] = learners;

  const request = (actor: string, command: Command, signal: AbortSignal): Promise<CommandReply> =>
    requestWithRetry(channel, actor, command, { clock, deadlineMs: clock.now() + options.readyDeadlineMs, signal });

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
      deadlineMs: options.saveDeadlineMs ?? SAVE_DEADLINE_MS,
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
      await Promise.all(learners.map((learner) => report(learner, signal)));
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
    const reply = await request(actor, { kind: "SaveCheckpoint", generation }, signal);
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

  return {
    rounds,
    async awaitActors(signal) {
      await Promise.all([feeder, ...stateful, ...options.others].map((actor) => report(actor, signal)));
    },
    async startFeeding(signal) {
      await request(feeder, { kind: "StartFeeding" }, signal);
    },
    async pauseFeeding(signal) {
      await request(feeder, { kind: "PauseFeeding" }, signal);
    },
    async saveAll({ isLate }, signal) {
      const { mark } = state;
      await Promise.all(stateful.map((actor) => report(actor, signal)));
      if (mark?.mark === "finished") await settle(signal);
      if (!isLate) checkEvaluation();
      const { step, sequence } = isLate || mark === undefined ? furthest() : mark;
      if (step === 0 || (isLate && step <= state.generation)) return; // nothing was learnt since
      rounds.supersede(step);
      const saved = await Promise.all(stateful.map((actor) => save(actor, step, signal)));
      await commit(step, sequence, Object.fromEntries(saved));
    },
  };
}
