/**
 * The actors of one run on this node: a slot for each actor that the record assigns here, and their composition. It
 * hosts nothing before the first `follow`.
 */
import type { Actor } from "../runtime/actor/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import { type Checkpoints, openCheckpoints, scopeOfRun } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import { confirmedBus } from "../runtime/lease/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";
import { gradientActor, parseActorRef } from "../run-spec/index.ts";
import { actorsOf } from "../jobs/run-plan.ts";
import { type Composition, type CompositionDeps, type CompositionOptions, createComposition } from "./composition.ts";
import type { Fleet } from "./fleet.ts";
import { type Assignment, createHostSlot, type HostSlot } from "./host-slot.ts";
import { isElsewhere } from "./placement.ts";
import type { RunRecordEntry } from "./records.ts";

export interface HostedRunOptions extends CompositionOptions {
  readonly instance: string;
}

export interface HostedRunDeps extends CompositionDeps {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface HostedRun extends AsyncDisposable {
  readonly run: string;
  /** The run's record as last followed. */
  readonly record: RunRecordEntry;
  /** Slots of this node, released ones included. */
  readonly actors: readonly HostSlot[];
  /** Reconciles with another record. Returns at once. */
  follow(record: RunRecordEntry): void;
  /** Tensors alive in its workers here. */
  countTensors(): Promise<number>;
  /** Opens the run's checkpoints, again after the store was lost. */
  openCheckpoints(): Promise<Checkpoints>;
  /** Resolves when this node holds nothing of the run. */
  whenReleased(): Promise<void>;
}

export function createHostedRun(first: RunRecordEntry, options: HostedRunOptions, deps: HostedRunDeps): HostedRun {
  const { run } = first;
  const { node, instance } = options;
  const { fleet, clock, store } = deps;
  const log = deps.log.child({ run });
  const slots = new Map<string, HostSlot>();
  /** Slots that use each composition. */
  const users = new Map<Composition, Set<string>>();
  const bus = confirmedBus(deps.bus, () => [...slots.values()].every(({ isConfirmed }) => isConfirmed));
  let record = first;
  let composition: Composition | undefined;

  const assigned = ({ spec, phase, actors, desired }: RunRecordEntry): string[] =>
    desired === "ended" ? [] : actorsOf(spec, phase).all.filter((id) => actors[id] === node);

  const compositionNow = (): Composition => {
    if (composition?.attempt === record.attempt) return composition;
    const fresh = createComposition(() => record, options, { ...deps, bus, log });
    users.set(fresh, new Set());
    composition = fresh;
    return fresh;
  };

  const close = async (unused: Composition): Promise<void> => {
    users.delete(unused);
    await unused.close();
  };

  /** Whether `id` is a block or gradient model placed apart from its counterpart: its composition then differs. */
  const isApart = (id: string): boolean => {
    const ref = parseActorRef(id);
    return (ref?.kind === "block" || ref?.kind === "gradient-model") && isElsewhere(record.actors, ref.index);
  };

  const assignmentOf = (id: string): Assignment => {
    const from = compositionNow();
    const ref = parseActorRef(id);
    const model = ref?.kind === "block" ? gradientActor(ref.index) : undefined;
    users.get(from)?.add(id);
    return {
      signature: JSON.stringify([record.attempt, isApart(id)]),
      // A block needs the gradient model open in its own worker when it opens.
      ready: async (signal) => {
        const slot = model !== undefined && record.actors[model] === node ? slots.get(model) : undefined;
        await slot?.whenRunning(signal);
      },
      compose: async (): Promise<(fence: number) => Actor> => {
        users.get(from)?.add(id);
        return (await from.composer()).compose(id);
      },
      release: async () => {
        await from.release(id);
        users.get(from)?.delete(id);
        if (users.get(from)?.size === 0 && from !== composition) await close(from);
      },
    };
  };

  const slotOf = (id: string): HostSlot => {
    const known = slots.get(id);
    if (known !== undefined) return known;
    const fresh = createHostSlot(
      { run, id, node, instance },
      { bus: deps.bus, clock, log, leases: { leases: fleet.leases, fences: fleet.fences }, onConfirmed: bus.resume },
    );
    slots.set(id, fresh);
    return fresh;
  };

  const reconcile = (): void => {
    const wanted = assigned(record);
    for (const [id, slot] of slots) if (!wanted.includes(id)) slot.withdraw();
    for (const id of wanted) slotOf(id).assign(assignmentOf(id));
  };

  const whenReleased = async (): Promise<void> => {
    await Promise.all([...slots.values()].map((slot) => slot.whenReleased()));
  };

  return {
    run,
    get record() {
      return record;
    },
    get actors() {
      return [...slots.values()];
    },
    follow(next) {
      record = next;
      reconcile();
    },
    async countTensors() {
      const counts = await Promise.all([...users.keys()].map((each) => each.countTensors()));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    openCheckpoints: () => openCheckpoints(store, scopeOfRun(run)),
    whenReleased,
    async [Symbol.asyncDispose]() {
      await Promise.all([...slots.values()].map((slot) => slot[Symbol.asyncDispose]()));
      slots.clear();
      await Promise.all([...users.keys()].map(close));
    },
  };
}
