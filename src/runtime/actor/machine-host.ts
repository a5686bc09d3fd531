/**
 * Runs an xstate chart as the lifecycle of an actor. By convention every kind's chart takes `Stop`, ends in a final state,
 * and has `{ error?: Error }` as its output. Beside its `activity` a chart may have parallel regions: the state of the
 * actor is the one of its activity, the other regions are figures.
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
  /** Name of the state, "training.idle". */
  readonly state: string;
  /** States of the regions beside the activity, by their names. */
  readonly regions: Readonly<Record<string, string>>;
  /** Resolves in a final state: with the chart's error, or with nothing. Never rejects. */
  readonly ended: Promise<void | Error>;
  readonly context: ContextFrom<M>;
  start(): void;
  /** Ends it in the state that it is in; `ended` resolves with nothing. */
  stop(): void;
  /** An event to a chart that has ended is ignored. */
  send(event: EventFromLogic<M>): void;
  /** Resolves when `isReached` holds for the state's name; at once when it does now. Rejects when the chart ends before. */
  waitFor(isReached: (state: string) => boolean): Promise<void>;
}

export interface MachineHostDeps {
  readonly clock: Clock;
  /** Called with each state that is published: of a state tagged `brief`, its parent. */
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
  let published = "";
  let finish: (outcome: void | Error) => void = () => undefined;
  const ended = new Promise<void | Error>((resolve) => {
    finish = resolve;
  });
  let outcome: Error | undefined;
  const end = (): void => {
    for (const watcher of watchers) watcher(undefined);
    finish(outcome);
  };
  actor.subscribe({
    next(snapshot) {
      const name = stateName(snapshot.value);
      if (name === state) return;
      state = name;
      const shown = snapshot.hasTag("brief") ? name.slice(0, Math.max(0, name.lastIndexOf("."))) : name;
      if (shown !== published) {
        published = shown;
        deps.onState?.(shown);
      }
      for (const watcher of watchers) watcher(name);
    },
    // Without an observer for errors a throwing action would end the process.
    error(error) {
      outcome = error instanceof Error ? error : new Error(String(error));
      end();
    },
    complete() {
      const { output } = actor.getSnapshot() as { output?: { error?: Error } };
      outcome = output?.error;
      end();
    },
  });
  return {
    get state() {
      return state;
    },
    get regions() {
      return regionsOf(actor.getSnapshot().value);
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
      // An event that arrives after the end changes nothing.
      const { status } = actor.getSnapshot() as { status: string };
      if (status === "active") actor.send(event);
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

/** The regions of a parallel state, where the value has them: `{ running: { activity: ..., checkpoint: ... } }`. */
function parallel(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const [child] = Object.values(value) as unknown[];
  return typeof child === "object" && child !== null && "activity" in child ? { ...child } : undefined;
}

/** `{ training: "idle" }` as "training.idle"; of parallel regions, the activity. */
export function stateName(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const regions = parallel(value);
  if (regions !== undefined) return stateName(regions["activity"]);
  return Object.entries(value)
    .map(([parent, child]) => `${parent}.${stateName(child)}`)
    .join("|");
}

function regionsOf(value: unknown): Readonly<Record<string, string>> {
  const { activity: _activity, ...others } = parallel(value) ?? {};
  return Object.fromEntries(Object.entries(others).map(([name, region]) => [name, stateName(region)]));
}
