/**
 * Runs an xstate machine as the lifecycle of an actor. By convention every kind's machine takes `Stop`, ends in a final
 * state, and has `{ error?: Error }` as its output.
 */
import {
  type Actor as XStateActor,
  type AnyStateMachine,
  type ContextFrom,
  createActor,
  type EventFromLogic,
  type InputFrom,
} from "xstate";
import type { Clock } from "../clock/clock.ts";

export interface MachineHost<M extends AnyStateMachine> {
  readonly state: string;
  /** Resolves in a final state: with the machine's error, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
  readonly context: ContextFrom<M>;
  start(): void;
  /** Ends it in the state that it is in; `ended` resolves with nothing. */
  stop(): void;
  send(event: EventFromLogic<M>): void;
  /** Resolves when `isReached` holds for the state's name; at once when it does now. Rejects when the machine ends before. */
  waitFor(isReached: (state: string) => boolean): Promise<void>;
}

export interface MachineHostDeps {
  readonly clock: Clock;
  /** Told each state that is entered. */
  readonly onState?: (state: string) => void;
}

export function hostMachine<M extends AnyStateMachine>(
  machine: M,
  input: InputFrom<M>,
  deps: MachineHostDeps,
): MachineHost<M> {
  // xstate's typing of a generic machine needs its own generics spelled out; the runtime contract is the same.
  const actor = createActor(machine, { input, clock: deps.clock }) as XStateActor<AnyStateMachine>;
  const watchers = new Set<(state: string | undefined) => void>();
  let state = "";
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });
  let outcome: Error | undefined;

  actor.subscribe({
    next(snapshot) {
      const name = stateName(snapshot.value);
      if (name === state) return;
      state = name;
      deps.onState?.(name);
      for (const watcher of watchers) watcher(name);
    },
    // Without an observer for errors a throwing action would end the process.
    error(error) {
      outcome = error instanceof Error ? error : new Error(String(error));
      for (const watcher of watchers) watcher(undefined);
      finish(outcome);
    },
    complete() {
      const { output } = actor.getSnapshot() as { output?: { error?: Error } };
      outcome = output?.error;
      for (const watcher of watchers) watcher(undefined);
      finish(outcome);
    },
  });

  return {
    get state() {
      return state;
    },
    ended,
    get context() {
      return (actor.getSnapshot() as { readonly context: ContextFrom<M> }).context;
    },
    start: () => {
      actor.start();
    },
    stop: () => {
      actor.stop();
    },
    send(event) {
      actor.send(event);
    },
    waitFor(isReached) {
      return new Promise((resolve, reject) => {
        const watcher = (name: string | undefined): void => {
          if (name !== undefined && isReached(name)) resolve();
          else if (name === undefined) reject(outcome ?? new Error(`ended in ${state}`));
          else return;
          watchers.delete(watcher);
        };
        watchers.add(watcher);
        watcher(actor.getSnapshot().status === "active" ? state : undefined);
      });
    },
  };
}

/** `{ running: "idle" }` as "running.idle". */
function stateName(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([parent, child]) => `${parent}.${stateName(child)}`)
    .join("|");
}
