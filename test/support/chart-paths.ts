/**
 * Exhaustive walks over a pure chart: every state that any order of its events, and of the outcomes of its effects and
 * delays, can reach, with a shortest path to each.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from "xstate";
import { transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { stateName } from "../../src/runtime/actor/machine-host.ts";

export interface ChartWalk {
  /** Plain events of the chart, each with the fields worth a distinction. */
  readonly events: readonly EventObject[];
  /** Outputs of the effects, by name. @default one, undefined */
  readonly outputs?: Readonly<Record<string, readonly unknown[]>>;
  /** What an effect rejects with. @default one error */
  readonly errors?: readonly Error[];
  readonly input?: unknown;
}

export interface ChartPath {
  readonly snapshot: AnyMachineSnapshot;
  readonly name: string;
  /** Names of the states on the way, the last one included. */
  readonly passed: readonly string[];
}

/**
 * One entry for each combination of state and context. An effect has an outcome only while it goes on; a rejection that
 * the chart does not handle gives an entry with the status "error".
 */
export function pathsOf(chart: AnyStateMachine, walk: ChartWalk): ChartPath[] {
  const { events, input, outputs = {}, errors = [new Error("it broke")] } = walk;
  const types: readonly string[] = chart.events;
  const delays = types.filter((type) => type.startsWith("xstate.after.")).map((type) => ({ type }));
  const outcomes = (snapshot: AnyMachineSnapshot): EventObject[] => [
    ...effectsOf(snapshot).flatMap((effect) =>
      (outputs[effect] ?? [undefined]).map((output) => completionIn(snapshot, effect, output)),
    ),
    ...errors.flatMap((error) => rejectionsIn(snapshot, error)),
  ];
  const paths = getShortestPaths(chart, {
    events: (snapshot) => [...events, ...delays, ...outcomes(snapshot)],
    ...(input === undefined ? {} : { input: input as never }),
    stopWhen: ({ status }) => status !== "active",
    serializeState: ({ value, context, status }) =>
      JSON.stringify({ value, context, status }, (_, field: unknown) =>
        field instanceof Error ? String(field) : field,
      ),
  });
  return paths.map(({ state, steps }) => ({
    snapshot: state,
    name: stateName(state.value),
    passed: steps.map((step) => stateName(step.state.value)),
  }));
}

export const namesOf = (paths: readonly ChartPath[]): string[] => [...new Set(paths.map(({ name }) => name))].sort();

/** Effects that go on in this state. */
export const effectsOf = (snapshot: AnyMachineSnapshot): string[] =>
  childrenOf(snapshot)
    .map(([, src]) => src)
    .sort();

/** The state after these events. */
export const after = (chart: AnyStateMachine, from: AnyMachineSnapshot, ...events: EventObject[]): AnyMachineSnapshot =>
  events.reduce((snapshot, event) => transition(chart, snapshot, event)[0], from);

/** The rejection of each effect that goes on in this state. */
export const rejectionsIn = (snapshot: AnyMachineSnapshot, error: Error): EventObject[] =>
  childrenOf(snapshot).map(([id]) => Object.assign({ type: `xstate.error.actor.${id}` }, { actorId: id, error }));

/** The completion of the effect of this name that goes on in this state. */
export function completionIn(snapshot: AnyMachineSnapshot, effect: string, output?: unknown): EventObject {
  const [id] = childrenOf(snapshot).find(([, src]) => src === effect) ?? [];
  if (id === undefined) throw new RangeError(`${effect} does not go on`);
  return Object.assign({ type: `xstate.done.actor.${id}` }, { actorId: id, output });
}

function childrenOf({ children }: AnyMachineSnapshot): [id: string, effect: string][] {
  return Object.entries(children as Record<string, { readonly src: unknown }>).map(([id, { src }]) => [
    id,
    String(src),
  ]);
}
