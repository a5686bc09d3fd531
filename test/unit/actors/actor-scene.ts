/** What the tests of single actors share: a simulated clock, a broker that can go down, somebody who listens and speaks. */
import type { StreamActorOptions } from "../../../src/actors/link/index.ts";
import { transferList } from "../../../src/compute/tensor-data.ts";
import type { BlockHandle, GradientModelHandle, TensorData } from "../../../src/compute/index.ts";
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
  type GradientOrigin,
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

export interface FakeBlock {
  readonly handle: BlockHandle;
  /** What was asked of it, in order: "train 1", "receive 1", "evaluate", "restore 3", "dispose". */
  readonly calls: string[];
  /** Steps, in the order in which they were trained on and applied. */
  readonly trained: number[];
  readonly applied: number[];
  /** Samples evaluated. */
  readonly evaluated: number;
  /** Answers the next calls with this. */
  failWith: Error | undefined;
  /** Answers the next change of source with this. */
  failsToUse: Error | undefined;
  /** While it is set, training does not return until it resolves. */
  hold: Promise<void> | undefined;
}

export interface FakeBlockOptions {
  readonly isFirst?: boolean;
  readonly isLast?: boolean;
  /** Its update waits for the gradient from the next block. */
  readonly isLater?: boolean;
  /** Batches kept for their gradient. @default all */
  readonly retain?: number;
  /** Training on this step fails with KN_NUMERIC. */
  readonly failsAtStep?: number;
  /** Told of each step before it trains on it. */
  readonly onStep?: ((step: number) => void) | undefined;
  /** How long its work takes. @default no time */
  readonly work?: () => Promise<void>;
}

/** A block's unit that computes nothing and records its calls. It keeps test/support/block-handle-contract.ts. */
export function fakeBlock(options: FakeBlockOptions = {}): FakeBlock {
  const { isFirst = false, isLast = false, isLater = false, retain = Infinity, failsAtStep, onStep } = options;
  /** Version at the forward, by step. */
  const kept = new Map<number, number>();
  let version = 0;
  let forgotten = 0;
  let evaluated = 0;
  const calls: string[] = [];
  const trained: number[] = [];
  const applied: number[] = [];
  const perform = async <T>(call: string, outcome: () => T): Promise<{ result: T; computeMs: number }> => {
    calls.push(call);
    await fake.hold;
    await options.work?.();
    if (fake.failWith !== undefined) throw fake.failWith;
    return { result: outcome(), computeMs: 2 };
  };
  const figures = () => ({ version, retained: kept.size, pending: kept.size, forgotten });
  const apply = (step: number, input: { readonly shape: readonly number[] }, origin: GradientOrigin, age = 0) => {
    version += 1;
    applied.push(step);
    return {
      isApplied: true,
      ...figures(),
      age,
      origin,
      ...(isFirst ? {} : { inputGradient: floats(input.shape) }),
      ...(isLast ? { loss: 0.5 } : {}),
    };
  };
  const giveUp = (count: number): number => {
    for (const step of [...kept.keys()].slice(0, count)) kept.delete(step);
    forgotten += count;
    return count;
  };
  const handle: BlockHandle = {
    parameters: 1,
    train: ({ step, input }, emit) => {
      moveOut(input);
      return perform(`train ${step}`, () => {
        kept.delete(step);
        onStep?.(step);
        if (step === failsAtStep) throw failure("KN_NUMERIC");
        trained.push(step);
        if (!isLast) emit(floats(input.shape), version);
        if (!isLater) return apply(step, input, isLast ? "true" : "synthetic");
        kept.set(step, version);
        giveUp(Math.max(0, kept.size - retain));
        return { isApplied: false, ...figures() };
      });
    },
    receive(step, gradient, origin) {
      moveOut(gradient);
      return perform(`receive ${step}`, () => {
        const age = version - (kept.get(step) ?? 0);
        return kept.delete(step) ? apply(step, gradient, origin, age) : { isApplied: false, ...figures() };
      });
    },
    evaluate(input, labels) {
      moveOut(input);
      return perform("evaluate", () => {
        evaluated += labels.values.length;
        return isLast ? { correct: labels.values.length - 1, lossSum: 0.25 } : { output: floats(input.shape) };
      });
    },
    use(source) {
      if (fake.failsToUse !== undefined) return Promise.reject(fake.failsToUse);
      calls.push(`use ${source}`);
      return Promise.resolve();
    },
    forget() {
      calls.push("forget");
      return Promise.resolve(giveUp(kept.size));
    },
    snapshot: () => Promise.resolve({ version, tensors: { w: floats([1], version) } }),
    restore(snapshot) {
      calls.push(`restore ${snapshot.version}`);
      kept.clear();
      version = snapshot.version;
      return Promise.resolve();
    },
    dispose() {
      calls.push("dispose");
      return Promise.resolve();
    },
  };
  const fake: FakeBlock = {
    handle,
    calls,
    trained,
    applied,
    get evaluated() {
      return evaluated;
    },
    failWith: undefined,
    failsToUse: undefined,
    hold: undefined,
  };
  return fake;
}

/** Takes the tensor's buffer from the caller, as a message to a thread does. */
function moveOut(tensor: TensorData): void {
  structuredClone(null, { transfer: transferList([tensor]) });
}

export interface FakeGradientModel {
  readonly handle: GradientModelHandle;
  readonly calls: string[];
  /** Steps whose prediction it does not keep. */
  readonly forgotten: Set<number>;
}

export function fakeGradientModel(): FakeGradientModel {
  const calls: string[] = [];
  const forgotten = new Set<number>();
  let updates = 0;
  const handle: GradientModelHandle = {
    parameters: 1,
    predict(_, activation) {
      moveOut(activation);
      return Promise.resolve({ result: floats(activation.shape), computeMs: 0 });
    },
    learn(step, gradient) {
      moveOut(gradient);
      calls.push(`learn ${step}`);
      if (forgotten.has(step)) return Promise.resolve({ result: undefined, computeMs: 1 });
      updates += 1;
      return Promise.resolve({ result: { cosine: 0.5, relativeError: 0.25, updates }, computeMs: 1 });
    },
    snapshot: () => Promise.resolve({ version: updates, tensors: { m: floats([1], updates) } }),
    restore(snapshot) {
      calls.push(`restore ${snapshot.version}`);
      updates = snapshot.version;
      return Promise.resolve();
    },
    dispose() {
      calls.push("dispose");
      return Promise.resolve();
    },
  };
  return { handle, calls, forgotten };
}
