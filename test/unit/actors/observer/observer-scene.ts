/** Observers of a model in simulated time: bus, store, registry and log are the real ones; inputs come from the test. */
import {
  createObserverActor,
  type ObserverActorDeps,
  type ObserverActorOptions,
} from "../../../../src/actors/observer/index.ts";
import {
  encodeLiveInputs,
  type InputTensor,
  type LiveInputs,
  observeSubject,
  type ObservedInput,
} from "../../../../src/messages/index.ts";
import { openObservationLog } from "../../../../src/models/observations/index.ts";
import { type Bus, createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import type { StoreCall, StoreFaults } from "../../../support/failing-store.ts";
import { randomFrom } from "../../../support/random.ts";
import { BY, FACTS, modelScene, weights } from "../../models/model-scene.ts";

export const CLASSES = 3;
/** Bytes of one input of the scene's network, [2, 2, 1]. */
export const INPUT_BYTES = { u8: 4, f32: 16 } as const;

export const OBSERVER: Omit<ObserverActorOptions, "id" | "epoch"> = {
  ...{ run: "serve-digits", fence: 0, softwareVersion: "0.0.0", metadata: {}, seed: 1 },
  budget: { inputsPerMinute: 48, bytesPerMinute: 48 * INPUT_BYTES.f32 },
  ...{ slotsPerMinute: 12, uniformShare: 0.25, ttlMs: 3_600_000, maxEntries: 10_000 },
  ...{ maxHeldInputs: 100, maxHeldBytes: 1 << 20 },
};

/** u8 [n, 2, 2, 1]; the bytes of sample i are those of `from + i`, little-endian. */
export function bytesInput(n: number, from = 0): InputTensor {
  const values = new Uint8Array(Uint32Array.from({ length: n }, (_, index) => from + index).buffer);
  return { dtype: "u8", shape: [n, 2, 2, 1], values };
}

/** Which of `bytesInput` it is. */
export function numberOf({ input }: ObservedInput): number {
  return new DataView(input.values.buffer, input.values.byteOffset).getUint32(0, true);
}

export interface SceneObserver {
  /** Statistics of its service. */
  stats(): Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, number>>;
  readonly observations: Readonly<Record<string, number>>;
  readonly state: string;
  stop(): Promise<void>;
  /** Ends it at once, without a word, as SIGKILL does. */
  kill(): Promise<void>;
}

/** @param connect of a bus of its own; @default one in memory */
export async function observerScene(connect?: () => Promise<Bus>) {
  const models = await modelScene();
  const { clock, model, publish, faults, plain } = models;
  const broker = createMemoryBroker();
  const join = connect ?? (() => Promise.resolve(broker.connect({ clock, onHandlerError: () => undefined })));
  const sender = await join();
  const buses: Bus[] = [sender];
  const running = new Set<SceneObserver>();
  const draw = randomFrom(7);
  /** When each observation was appended, ms. */
  const appends: number[] = [];
  let fault: StoreFaults | undefined;
  faults.now = (call: StoreCall) => {
    const failing = fault?.(call);
    if (call.bucket === "observe.digits" && call.operation === "append" && failing === undefined)
      appends.push(clock.now());
    return failing;
  };
  let epochs = 0;

  const scene = {
    ...models,
    sender,
    appends,
    /** Faults of the store from now on. @default none */
    fail(next?: StoreFaults): void {
      fault = next;
    },
    async startObserver(
      options: Partial<ObserverActorOptions> = {},
      deps: Partial<ObserverActorDeps> = {},
    ): Promise<SceneObserver> {
      const bus = await join();
      buses.push(bus);
      epochs += 1;
      const epoch = `epoch-${epochs}`;
      const actor = createObserverActor(
        { ...OBSERVER, id: "observer-0", epoch, ...options },
        { bus, clock, log: silentLogger, model: models.open(), store: models.models, ...deps },
      );
      await actor.start();
      const stats = () => bus.services.find(({ name }) => name === "kn-observer")?.data ?? {};
      const observer: SceneObserver = {
        stats,
        get inputs() {
          return stats()["inputs"] as Record<string, number>;
        },
        get observations() {
          return stats()["observations"] as Record<string, number>;
        },
        get state() {
          return actor.state;
        },
        async stop() {
          running.delete(observer);
          let isStopped = false;
          void actor.stop().finally(() => {
            isStopped = true;
          });
          await scene.until(() => isStopped, "the end of the observer");
        },
        async kill() {
          running.delete(observer);
          await bus.close();
          fault = () => ({ kind: "refused" });
          void actor.stop();
          await clock.advance(5_000);
          fault = undefined;
        },
      };
      running.add(observer);
      return observer;
    },
    /** Publishes weights that are all `value`, and makes them live. */
    async release(value = 1): Promise<number> {
      const { release } = await publish(value);
      await model.promote(release, BY);
      await clock.advance(300);
      return release;
    },
    /** Publishes weights that are all `value` as those of an update, as an updater does. @returns the release */
    async updateRelease(number: number, value = 1): Promise<number> {
      const origin = { ...FACTS.origin, kind: "continuous", phase: "continuous", generation: number };
      return (await model.publish({ ...FACTS, origin }, weights(value))).release;
    },
    /** Sends inputs as a gateway does, with logits of random interest. */
    send(input: InputTensor, parts: Partial<LiveInputs> = {}): void {
      const n = input.shape[0] ?? 0;
      const values = Float32Array.from({ length: n * CLASSES }, () => 6 * draw());
      const logits = { dtype: "f32", shape: [n, CLASSES], values } as const;
      sender.publish(
        observeSubject("digits"),
        encodeLiveInputs({ model: "digits", release: 1, input, logits, ...parts }),
      );
    },
    /** What the log has, by whatever store is behind the faults. */
    async logged(): Promise<ObservedInput[]> {
      const found: ObservedInput[] = [];
      for await (const { observation } of (await openObservationLog(plain, "digits")).read()) {
        if (observation === undefined) throw new Error("an entry is no observation");
        found.push(observation);
      }
      return found;
    },
    async until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 60_000): Promise<void> {
      for (let passed = 0; !(await condition()); passed += 1) {
        if (passed > limitMs) throw new Error(`not reached in ${limitMs} ms: ${what}`);
        await clock.advance(1);
      }
    },
    async [Symbol.asyncDispose]() {
      fault = undefined;
      for (const observer of [...running]) await observer.stop();
      for (const bus of buses) await bus.close();
    },
  };
  return scene;
}

/** The most that lies in any interval [t, t + 60 s). */
export function mostInAMinute(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 60_000).length));
}
