/**
 * What every actor is to the rest of the system: something that starts, answers for itself, and ends.
 */
export interface Actor {
  /** Unique in its run: "feeder", "block-0", "gradient-1". */
  readonly id: string;
  /** Name of its state as in its chart, "running.idle". */
  readonly state: string;
  /** Resolves when the actor has ended: with the error that ended it, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
  /** Resolves when it is ready for its first message. Rejects with what kept it from starting. */
  start(): Promise<void>;
  /** Finishes the message at hand and ends. Safe to call twice. */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /** Saves its state before it ends, so that its next incarnation continues from there. @default false */
  readonly isSaving?: boolean;
}

/** Makes an incarnation of an actor; `attempt` counts from 0, above 0 it follows a failure. */
export type ActorFactory = (attempt: number) => Actor;
