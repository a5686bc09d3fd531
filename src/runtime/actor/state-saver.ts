/**
 * The checkpoints of one actor. A snapshot is taken between two messages, at once on `SaveCheckpoint` or when the step of a
 * prepared generation is reached; it is written in the background, and the write is reported with `CheckpointSaved`.
 *
 * ```
 * clean --PrepareCheckpoint--> prepared --step reached--> snapshotting --> writing --> clean
 *       --SaveCheckpoint--> snapshotting        prepared --AbandonCheckpoint--> clean
 * ```
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { SafetensorsContent } from "../../messages/checkpoint/index.ts";
import type { CheckpointSaved, Command, CommandReply } from "../../messages/index.ts";
import { type ActorMemory, NO_MEMORY } from "../artifacts/actor-memory.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Position } from "./control-channel.ts";

/** A request for a snapshot; it waits in the mailbox for its place between two messages. */
export interface SaveMessage {
  readonly kind: "save";
  readonly generation: number;
  readonly done: (saved: CheckpointSaved) => void;
  readonly reject: (reason: unknown) => void;
}

/** Where the state of an actor stands. */
export interface StatePosition {
  /** Newest training step that was taken in. */
  readonly step: number;
  /** Newest training step that is finished: the step of a snapshot. */
  readonly finished: number;
  /** Sequence up to which everything is consumed. */
  readonly consumed: number;
  /** Updates of the weights. */
  readonly applied: number;
}

export type SaverState = "clean" | "prepared" | "snapshotting" | "writing";

export interface StateSaverOptions {
  readonly id: string;
}

export interface StateSaverDeps {
  readonly memory: ActorMemory;
  readonly log: Logger;
  /** Puts the request into the mailbox. @returns the error when it is refused */
  readonly queue: (save: SaveMessage) => Error | undefined;
  readonly snapshot: () => Promise<SafetensorsContent>;
  readonly position: () => StatePosition;
  readonly emit: (fact: CheckpointSaved, at: Position) => void;
  readonly onState: (state: SaverState) => void;
}

export type SaveCommand = Extract<
  Command,
  { readonly kind: "SaveCheckpoint" | "PrepareCheckpoint" | "AbandonCheckpoint" }
>;

export interface StateSaver {
  /** Answers the command, when its save is durable or its generation is prepared. */
  handle(command: SaveCommand): Promise<CommandReply>;
  /** The actor finished `step`: takes the snapshot of the generation that is prepared for it. */
  reached(step: number): void;
  /** Takes the snapshot of a queued request. Rejects with what the snapshot fails with. */
  take(save: SaveMessage): Promise<void>;
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
  /** Saves the state that the actor leaves with, where it is newer than the last save. A failure is logged. */
  saveLast(): Promise<void>;
}

interface Save {
  readonly generation: number;
  readonly reply: Promise<CheckpointSaved>;
  isDone: boolean;
}

export function createStateSaver({ id }: StateSaverOptions, deps: StateSaverDeps): StateSaver {
  const { memory, log, queue, snapshot, position, emit, onState } = deps;
  let prepared: number | undefined;
  let last: Save | undefined;
  /** Training continues during a write: only the snapshot needs its place between two messages. */
  let writing: Promise<void> | undefined;
  /** The position that was saved last. */
  let savedAt = "";

  const standing = (): string => JSON.stringify(position());
  const showState = (): void => {
    if (writing !== undefined) onState("writing");
    else onState(prepared === undefined ? "clean" : "prepared");
  };

  /** Queues a snapshot. The save before answers, unless it is done and the actor has moved on. */
  const save = (generation: number): Save => {
    if (last?.generation === generation && !(last.isDone && savedAt !== standing())) return last;
    const reply = new Promise<CheckpointSaved>((done, reject) => {
      const refusal = queue({ kind: "save", generation, done, reject });
      if (refusal !== undefined) reject(refusal);
    });
    const begun: Save = { generation, reply, isDone: false };
    last = begun;
    reply.then(
      () => {
        begun.isDone = true;
      },
      (error: unknown) => {
        if (last === begun) last = undefined; // a failed save may be tried again
        log.warn({ actor: id, generation, err: error }, "checkpoint not written");
      },
    );
    return begun;
  };

  const prepare = async (generation: number): Promise<CommandReply> => {
    if (last?.generation === generation) return last.isDone ? last.reply : { kind: "Done" };
    const { step, finished } = position();
    const refuse = (code: "KN_STALE" | "KN_OVERLOADED", rule: string, value: string): never => {
      throw new KnowledgeNetError(code, { attempt: `prepare generation ${generation} of ${id}`, rule, value });
    };
    if (step > generation) refuse("KN_STALE", "the actor must not be past its step", `step ${step}`);
    if (writing !== undefined) refuse("KN_OVERLOADED", "the write before must be finished", "it is under way");
    prepared = generation;
    showState();
    saver.reached(finished);
    return await Promise.resolve({ kind: "Done" });
  };

  const write = async (
    request: SaveMessage,
    content: SafetensorsContent,
    at: Position,
    stood: string,
  ): Promise<void> => {
    try {
      const info = await memory.save(request.generation, content);
      savedAt = stood;
      const fact = { kind: "CheckpointSaved", ...info } as const;
      emit(fact, at);
      request.done(fact);
    } catch (error) {
      // A full disk must not end the training that is still in memory: the coordinator gets the error and decides.
      request.reject(error);
    }
  };

  const saver: StateSaver = {
    async handle({ kind, generation }) {
      if (kind === "SaveCheckpoint") return save(generation).reply;
      if (kind === "PrepareCheckpoint") return prepare(generation);
      if (prepared === generation) prepared = undefined;
      showState();
      return { kind: "Done" };
    },
    reached(step) {
      if (prepared === undefined || step < prepared) return;
      const generation = prepared;
      prepared = undefined;
      save(generation).reply.catch(() => undefined); // logged; the coordinator abandons the generation at its deadline
    },
    async take(request) {
      onState("snapshotting");
      let content: SafetensorsContent;
      try {
        content = await snapshot();
      } catch (error) {
        request.reject(error);
        showState();
        throw error;
      }
      const stood = standing();
      const at = { sequence: position().consumed, step: request.generation, version: 0 };
      const now: Promise<void> = (writing ?? Promise.resolve())
        .then(() => write(request, content, at, stood))
        .finally(() => {
          if (writing === now) writing = undefined;
          showState();
        });
      writing = now;
      showState();
    },
    async settled() {
      await writing;
    },
    async saveLast() {
      const { step: generation, consumed: sequence } = position();
      if (memory === NO_MEMORY || generation === 0 || savedAt === standing()) return;
      try {
        await memory.save(generation, await snapshot());
        log.info({ actor: id, generation, sequence }, "saved before leaving");
      } catch (error) {
        const consequence = "left without a save: the next incarnation continues from the save before";
        log.warn({ actor: id, generation, err: error }, consequence);
      }
    },
  };
  return saver;
}
