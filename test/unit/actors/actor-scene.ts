/** What the tests of single actors share: a simulated clock, a broker that can go down, somebody who listens and speaks. */
import type { BlockHandle, GradientModelHandle } from "../../../src/compute/index.ts";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import {
  type Command,
  type CommandReply,
  type Event,
  encodeActivation,
  encodeEvent,
  encodeGradient,
  type Fact,
  type Header,
  type TensorView,
} from "../../../src/messages/index.ts";
import { type ControlChannel, createControlChannel } from "../../../src/runtime/actor/index.ts";
import { type Bus, createMemoryBroker, type MemoryBroker } from "../../../src/runtime/bus/index.ts";
import type { Checkpoints, Manifest } from "../../../src/runtime/checkpoint/index.ts";
import { type SimulatedClock, simulatedClock } from "../../../src/runtime/clock/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";

export const RUN = "test";

export type SavedState = Parameters<Checkpoints["save"]>[2];

/** Checkpoints without a disk; `refusal` makes the next saves fail. */
export interface HeldCheckpoints extends Checkpoints {
  readonly saved: Map<string, SavedState>;
  readonly committed: Manifest[];
  refusal: Error | undefined;
}

export function heldCheckpoints(): HeldCheckpoints {
  const saved = new Map<string, SavedState>();
  const committed: Manifest[] = [];
  return {
    saved,
    committed,
    refusal: undefined,
    save(actor, generation, content) {
      if (this.refusal !== undefined) return Promise.reject(this.refusal);
      saved.set(`${actor}.${generation}`, content);
      return Promise.resolve({ name: `${actor}.${generation}`, sizeBytes: 1, digest: "0".repeat(64) });
    },
    load(actor, generation) {
      const content = saved.get(`${actor}.${generation}`);
      return content === undefined ? Promise.reject(failure("KN_CHECKPOINT")) : Promise.resolve(content);
    },
    commit(manifest) {
      committed.unshift({ format: 1, ...manifest });
      return Promise.resolve();
    },
    manifests: () => Promise.resolve(committed),
  };
}

export function failure(code: KnowledgeNetError["code"]): KnowledgeNetError {
  return new KnowledgeNetError(code, { attempt: "test", rule: "the test wants it to fail" });
}

export interface Scene {
  readonly clock: SimulatedClock;
  readonly broker: MemoryBroker;
  readonly bus: Bus;
  readonly checkpoints: HeldCheckpoints;
  readonly deps: {
    readonly bus: Bus;
    readonly clock: SimulatedClock;
    readonly checkpoints: HeldCheckpoints;
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
  tell(actor: string, fact: Fact, position?: { sequence: number; step: number; version: number }): void;
  /** Does what promises and messages can do by themselves; simulated time stands still. */
  settle(): Promise<void>;
  readonly channel: ControlChannel;
  order(actor: string, command: Command): Promise<CommandReply>;
  options(id: string): { run: string; id: string; softwareVersion: string; metadata: Record<string, string> };
}

export function createScene(): Scene {
  const clock = simulatedClock();
  const broker = createMemoryBroker();
  const bus = broker.connect({ clock });
  const observer = broker.connect({ clock });
  const checkpoints = heldCheckpoints();
  const channel = createControlChannel({ run: RUN, actor: "tester" }, { bus: observer, log: silentLogger });
  const events: Event[] = [];
  channel.watch("*", (event) => events.push(event));
  return {
    clock,
    broker,
    bus,
    checkpoints,
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
    tell(actor, fact, position = { sequence: 0, step: 0, version: 0 }) {
      const data = encodeEvent({ header: { run: RUN, sender: actor, fence: 0, ...position }, fact });
      observer.publish(`kn.v1.${RUN}.evt.${actor}`, data);
    },
    async settle() {
      for (let turn = 0; turn < 3; turn += 1) await clock.advance(0);
    },
    channel,
    order: (actor, command) => channel.order(actor, command),
    options: (id) => ({ run: RUN, id, softwareVersion: "0.0.0", metadata: {} }),
  };
}

export const progressOf = (consumed: number): Extract<Fact, { kind: "Progress" }> => ({
  kind: "Progress",
  consumed,
  applied: 0,
  stalenessSteps: 0,
  computeMs: 0,
  receivedBytes: 0,
  drops: {},
});

export function headerOf(sequence: number, changes: Partial<Header> = {}): Header {
  return { run: RUN, sender: "tester", sequence, step: sequence, version: 0, fence: 0, ...changes };
}

export function floats(shape: readonly number[], value = 1): TensorView & { readonly dtype: "f32" } {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return { dtype: "f32", shape, values: new Float32Array(elements).fill(value) };
}

export interface BatchOptions {
  readonly phase?: "train" | "evaluate";
  readonly step?: number;
  readonly run?: string;
  readonly evaluation?: number;
}

/** An activation of two samples; in training its step is its sequence. */
export function batchFrame(sequence: number, options: BatchOptions = {}): Uint8Array {
  const { phase = "train", step = sequence, run = RUN, evaluation = phase === "train" ? 0 : 1 } = options;
  const labels = { dtype: "i32", shape: [2], values: Int32Array.of(1, 2) } as const;
  return encodeActivation(
    { header: headerOf(sequence, { step, run }), phase, tensor: floats([2, 3]), labels, evaluation },
    "raw",
  );
}

export function gradientFrame(sequence: number, value = 1): Uint8Array {
  return encodeGradient({ header: headerOf(sequence), origin: "true", tensor: floats([2, 3], value) }, "raw");
}

export interface FakeBlock {
  readonly handle: BlockHandle;
  /** What was asked of it, in order: "train 1", "receive 1", "evaluate", "restore 3", "dispose". */
  readonly calls: string[];
  /** Answers the next calls with this. */
  failWith: Error | undefined;
  /** While it is set, training does not return until it resolves. */
  hold: Promise<void> | undefined;
}

/**
 * A block's mathematics that computes nothing. As the real one, it applies a gradient that comes later only to a batch
 * that it still keeps.
 */
export function fakeBlock(kind: { isFirst?: boolean; isLast?: boolean; isGating?: boolean } = {}): FakeBlock {
  const { isFirst = false, isLast = false, isGating = false } = kind;
  const waiting = new Set<number>();
  let version = 0;
  const calls: string[] = [];
  const perform = async <T>(call: string, outcome: () => T): Promise<{ result: T; computeMs: number }> => {
    calls.push(call);
    await fake.hold;
    if (fake.failWith !== undefined) throw fake.failWith;
    return { result: outcome(), computeMs: 2 };
  };
  const applied = (input: { readonly shape: readonly number[] }) => {
    version += 1;
    const outcome = { isApplied: true, version, retained: 0, pending: 0, forgotten: 0, origin: "true" as const };
    return {
      ...outcome,
      ...(isFirst ? {} : { inputGradient: floats(input.shape) }),
      ...(isLast ? { loss: 0.5 } : {}),
    };
  };
  const handle: BlockHandle = {
    parameters: 1,
    train: ({ step, input }, emit) =>
      perform(`train ${step}`, () => {
        if (!isLast) emit(floats(input.shape), version);
        if (!isGating) return applied(input);
        waiting.add(step);
        return { isApplied: false, version, retained: 0, pending: 0, forgotten: 0 };
      }),
    receive: (step, gradient) =>
      perform(`receive ${step}`, () =>
        waiting.delete(step) ? applied(gradient) : { isApplied: false, version, retained: 0, pending: 0, forgotten: 0 },
      ),
    evaluate: (input, labels) =>
      perform("evaluate", () =>
        isLast ? { correct: labels.values.length - 1, lossSum: 0.25 } : { output: floats(input.shape) },
      ),
    use(source) {
      calls.push(`use ${source}`);
      return Promise.resolve();
    },
    forget() {
      calls.push("forget");
      const count = waiting.size;
      waiting.clear();
      return Promise.resolve(count);
    },
    snapshot: () => Promise.resolve({ version, tensors: { w: floats([1], version) } }),
    restore(snapshot) {
      calls.push(`restore ${snapshot.version}`);
      version = snapshot.version;
      return Promise.resolve();
    },
    dispose() {
      calls.push("dispose");
      return Promise.resolve();
    },
  };
  const fake: FakeBlock = { handle, calls, failWith: undefined, hold: undefined };
  return fake;
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
    predict: (_, activation) => Promise.resolve({ result: floats(activation.shape), computeMs: 0 }),
    learn(step) {
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
