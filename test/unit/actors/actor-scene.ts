/** What the tests of single actors share: a simulated clock, a broker that can go down, somebody who listens and speaks. */
import type { StreamActorOptions } from "../../../src/actors/link/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import {
  type Command,
  DEFAULT_MAX_FRAME_BYTES,
  type CommandReply,
  type Event,
  encodeActivation,
  encodeEvent,
  encodeGap,
  encodeGradient,
  type Fact,
  type Header,
  type Progress,
  type TensorView,
  NO_PROGRESS,
} from "../../../src/messages/index.ts";
import { type ControlChannel, createControlChannel } from "../../../src/runtime/actor/index.ts";
import { type Bus, createMemoryBroker, type MemoryBroker } from "../../../src/runtime/bus/index.ts";
import {
  type ActorMemory,
  type Checkpoints,
  createActorMemory,
  openCheckpoints,
  type SavedAt,
  scopeOfRun,
} from "../../../src/runtime/artifacts/index.ts";
import { type SimulatedClock, simulatedClock } from "../../../src/runtime/clock/index.ts";
import { memoryStore } from "../../../src/runtime/store/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { failAlways, failingStore, type StoreFaults, switchedFaults } from "../../support/failing-store.ts";

export const RUN = "test";

export const ATTEMPT = 1;

/** Every change of a blob, or of a record, is refused as by a full disk. */
export const FULL_DISK: Readonly<Record<"blobs" | "records", StoreFaults>> = {
  blobs: failAlways({ kind: "blobs", isChange: true }, { kind: "refused", code: "KN_CHECKPOINT" }),
  records: failAlways({ kind: "kv", isChange: true }, { kind: "refused", code: "KN_CHECKPOINT" }),
};

export interface MemoryOfOptions {
  /** Fencing token of the incarnation. @default 1 */
  readonly fence?: number;
  /** Generation that the attempt began with. @default none */
  readonly from?: SavedAt;
}

/** What `actor` remembers. */
export function memoryOf(
  actor: string,
  checkpoints: Checkpoints,
  { fence = 1, from }: MemoryOfOptions = {},
): ActorMemory {
  return createActorMemory({ actor, attempt: ATTEMPT, fence, from }, { checkpoints, log: silentLogger });
}

export function failure(code: KnowledgeNetError["code"]): KnowledgeNetError {
  return new KnowledgeNetError(code, { attempt: "test", rule: "the test wants it to fail" });
}

export interface Scene {
  readonly clock: SimulatedClock;
  readonly broker: MemoryBroker;
  readonly bus: Bus;
  /** Of the run, over a store in memory. */
  readonly checkpoints: Checkpoints;
  /** Of that store. */
  readonly faults: StoreFaults & { now: StoreFaults | undefined };
  readonly deps: {
    readonly bus: Bus;
    readonly clock: SimulatedClock;
    readonly checkpoints: Checkpoints;
    readonly log: typeof silentLogger;
  };
  /** Every fact published so far. */
  readonly events: Event[];
  /** Facts of one kind from one actor. */
  facts<K extends Fact["kind"]>(actor: string, kind: K): Extract<Fact, { kind: K }>[];
  /** Messages on `subject` from now on, as they came. */
  listen(subject: string): Uint8Array[];
  publish(subject: string, data: Uint8Array): void;
  /** A fact in the name of an actor that is not there. */
  tell(actor: string, fact: Fact, position?: Partial<Header>): void;
  /** Does what promises and messages can do by themselves; simulated time stands still. */
  settle(): Promise<void>;
  readonly channel: ControlChannel;
  order(actor: string, command: Command): Promise<CommandReply>;
  /** What every kind of actor is told. @default fence 1 */
  options(id: string, fence?: number): StreamActorOptions;
  /** Generations of which the store has a state of `actor`, newest first. */
  generations(actor: string): Promise<number[]>;
  /** Metadata of that state. */
  savedMetadata(actor: string, generation: number): Promise<Readonly<Record<string, string>>>;
}

export async function createScene(): Promise<Scene> {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const bus = broker.connect({ clock });
  const observer = broker.connect({ clock });
  const faults = switchedFaults();
  const store = failingStore(await memoryStore({ clock }), faults, clock);
  const checkpoints = await openCheckpoints(store, scopeOfRun(RUN));
  const statesOf = (actor: string) => checkpoints.statesOf(actor, { attempt: ATTEMPT, fence: 0 });
  const channel = createControlChannel({ run: RUN, actor: "tester" }, { bus: observer, log: silentLogger });
  const events: Event[] = [];
  channel.watch("*", (event) => events.push(event));
  return {
    clock,
    broker,
    bus,
    checkpoints,
    faults,
    deps: { bus, clock, checkpoints, log: silentLogger },
    events,
    facts<K extends Fact["kind"]>(actor: string, kind: K) {
      return events
        .filter(({ header, fact }) => header.sender === actor && fact.kind === kind)
        .map(({ fact }) => fact as Extract<Fact, { kind: K }>);
    },
    listen(subject) {
      const heard: Uint8Array[] = [];
      observer.subscribe(subject, ({ data }) => {
        heard.push(data.slice());
      });
      return heard;
    },
    publish: (subject, data) => {
      observer.publish(subject, data);
    },
    tell(actor, fact, position = {}) {
      const data = encodeEvent({ header: headerOf(0, { sender: actor, ...position }), fact });
      observer.publish(`kn.v1.${RUN}.evt.${actor}`, data);
    },
    async settle() {
      for (let turn = 0; turn < 3; turn += 1) await clock.advance(0);
    },
    channel,
    order: (actor, command) => channel.order(actor, command),
    options: (id, fence = 1) => ({
      run: RUN,
      id,
      fence,
      maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
      softwareVersion: "0.0.0",
      metadata: {},
    }),
    generations: async (actor) => (await statesOf(actor).list()).map(({ generation }) => generation),
    async savedMetadata(actor, generation) {
      const states = await statesOf(actor).list();
      const found = states.find((state) => state.generation === generation);
      if (found === undefined) throw new Error(`no generation ${generation} of ${actor}`);
      return (await statesOf(actor).load(found)).metadata;
    },
  };
}

export const progressOf = (consumed: number, changes: Partial<Progress> = {}): Progress => ({
  ...NO_PROGRESS,
  consumed,
  ...changes,
});

/** What a block's figures leave open of its steps: 0 when each is applied, skipped or pending. */
export function unaccounted({ step, applied, skipped, pending }: Progress): number {
  return step - applied - pending - Object.values(skipped).reduce((sum, count) => sum + count, 0);
}

export function headerOf(sequence: number, changes: Partial<Header> = {}): Header {
  return { run: RUN, sender: "tester", sequence, step: sequence, version: 0, fence: 0, ...changes };
}

export function floats(shape: readonly number[], value = 1): TensorView & { readonly dtype: "f32" } {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return { dtype: "f32", shape, values: new Float32Array(elements).fill(value) };
}

/** Somebody in an actor's place, who answers its commands; `orders` has what came. */
export async function standIn(
  { bus }: Scene,
  id: string,
  answer: (command: Command) => CommandReply | Promise<CommandReply>,
): Promise<{ readonly orders: Command[] }> {
  const orders: Command[] = [];
  const channel = createControlChannel({ run: RUN, actor: id }, { bus, log: silentLogger });
  const commands = channel.commands(async (command) => {
    orders.push(command);
    return answer(command);
  });
  await bus.service({
    name: "stand-in",
    version: "0.0.0",
    description: id,
    metadata: {},
    endpoints: [commands],
    stats: () => ({}),
  });
  return { orders };
}

export interface BatchOptions {
  readonly phase?: "train" | "evaluate";
  readonly step?: number;
  readonly run?: string;
  readonly fence?: number;
  readonly evaluation?: number;
}

/** An activation of two samples; in training its step is its sequence. */
export function batchFrame(sequence: number, options: BatchOptions = {}): Uint8Array {
  const { phase = "train", step = sequence, run = RUN, fence = 0 } = options;
  const { evaluation = phase === "train" ? 0 : 1 } = options;
  const labels = { dtype: "i32", shape: [2], values: Int32Array.of(1, 2) } as const;
  return encodeActivation(
    { header: headerOf(sequence, { step, run, fence }), phase, tensor: floats([2, 3]), labels, evaluation },
    "raw",
  );
}

/** Word that nothing of `first` to `last` will come. */
export function gapFrame(first: number, last: number, fence = 0): Uint8Array {
  return encodeGap({ header: headerOf(last, { fence }), first });
}

export function gradientFrame(sequence: number, changes: Partial<Header> = {}): Uint8Array {
  return encodeGradient({ header: headerOf(sequence, changes), origin: "true", tensor: floats([2, 3]) }, "raw");
}
