/**
 * A served model in simulated time: gateway, replicas, model registry and bus are the real ones; the mathematics is linear
 * in the input and differs from release to release, so that an answer tells which weights computed it.
 */
import { createGatewayActor, type Gateway, type InferenceOutcome } from "../../../../src/actors/gateway/index.ts";
import type { GatewayActorOptions, RequestSample } from "../../../../src/actors/gateway/index.ts";
import { createReplicaActor } from "../../../../src/actors/replica/index.ts";
import type { InferenceHandle, InferenceUnitOptions } from "../../../../src/compute/index.ts";
import { DEFAULT_MAX_FRAME_BYTES, type TensorView } from "../../../../src/messages/index.ts";
import { type Bus, createMemoryBroker, type MemoryBroker } from "../../../../src/runtime/bus/index.ts";
import type { Actor } from "../../../../src/runtime/actor/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { gatewayActor, measureLayers, replicaActor } from "../../../../src/run-spec/index.ts";
import { KnowledgeNetError } from "../../../../src/errors/index.ts";
import { changeLive } from "../../../../src/models/live-record.ts";
import { liveKey, type Model, type ModelDeps, modelsInStore, openModel } from "../../../../src/models/index.ts";
import { ARTIFACT_RECORDS } from "../../../../src/runtime/artifacts/index.ts";
import { lossyBus } from "../../../support/lossy-bus.ts";
import { fakeInference, fakeOutput, type FakeInferenceCall } from "../../../support/fake-inference.ts";
import { BY, FACTS, modelScene, weights } from "../../models/model-scene.ts";

export const RUN = "serve-digits";
export { BY, FACTS };

export interface ServingSceneOptions {
  /** 1: whole; 2: by blocks. @default 1 */
  readonly slices?: 1 | 2;
  /** Replicas of each slice. @default 1 */
  readonly copies?: number;
  /** Gateways. @default 1 */
  readonly gateways?: number;
  readonly gateway?: Partial<GatewayActorOptions>;
  /** Simulated time of one batch in a slice, ms: the same for any, or by its samples. @default 2 */
  readonly batchMs?: number | ((samples: number) => number);
  /** Before each call of a replica's unit. */
  readonly before?: (replica: string, call: FakeInferenceCall, release: number) => void | Promise<void>;
  /** @default one of its own */
  readonly broker?: MemoryBroker;
  /** Before a replica reads a part of a release. */
  readonly onRead?: (replica: string, release: number) => Promise<void>;
  /** Before a message of any actor is sent; its error is that of the publication. */
  readonly onPublish?: (subject: string) => void;
  /** Of gateways and replicas. */
  readonly model?: Omit<ModelDeps, "clock">;
  /** Replicas and gateways are started at once. @default true */
  readonly isStarted?: boolean;
}

export interface SceneProcess<A extends Actor = Actor> {
  readonly id: string;
  readonly actor: A;
  readonly isKilled: boolean;
  /** Ends it at once, without a word, as SIGKILL does. */
  kill(): Promise<void>;
}
export interface SceneReplica extends SceneProcess {
  readonly instance: string;
}

const GATEWAY: Omit<GatewayActorOptions, "id"> = {
  run: RUN,
  fence: 0,
  softwareVersion: "0.0.0",
  metadata: {},
  maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
  maxBatch: 8,
  maxBulkBatch: 4,
  targetMs: 100,
  timeoutMs: 1_000,
  maxTimeoutMs: 60_000,
  maxWaitingSamples: 64,
  queueTargetMs: 10,
  host: "machine",
};

/** f32 [n, 2, 2, 1]; sample i is `from + i` everywhere. */
export function samples(n: number, from = 1): TensorView & { readonly dtype: "f32" } {
  const values = Float32Array.from({ length: 4 * n }, (_, index) => from + Math.floor(index / 4));
  return { dtype: "f32", shape: [n, 2, 2, 1], values };
}

/** What a release whose weights are all `value` answers, computed whole or by blocks. */
export function expected(value: number, input: TensorView, slices: 1 | 2 = 1): number[] {
  const [first = {}, second = {}] = weights(value);
  if (slices === 1) return Array.from(fakeOutput({ ...first, ...second }, input, [3]));
  const between = fakeOutput(first, input, [2]);
  const middle: TensorView = { dtype: "f32", shape: [input.shape[0] ?? 0, 2], values: between };
  return Array.from(fakeOutput(second, middle, [3]));
}

export async function servingScene(options: ServingSceneOptions = {}) {
  const { slices = 1, copies = 1, gateways = 1, batchMs = 2, before = () => undefined, isStarted = true } = options;
  const models = await modelScene();
  const { clock, model, open, publish, plain } = models;
  /** The model without the faults of the store. */
  const truth = openModel(modelsInStore(plain), "digits", { clock });
  const { broker = createMemoryBroker() } = options;
  const reports: RequestSample[] = [];
  const replicas = new Map<string, SceneReplica>();
  const started: Gateway[] = [];
  /** Those that have not ended, the killed ones among them: their timers are in this process. */
  const running = new Set<Actor>();
  /** What each release that was published here has for weights. */
  const values = new Map<number, number>();
  /** Replicas whose units do not answer, and what lets them. */
  const frozen = new Map<string, { readonly thawed: Promise<void>; readonly thaw: () => void }>();
  /** Processes whose worker is gone. */
  const workerless = new Set<string>();
  /** By how much a release takes longer in the worker. */
  const slowness = new Map<number, number>();
  /** Tensors in the workers of replicas. */
  const tensors = new Map<string, number>();
  let instances = 0;
  /** Of a process that is killed while it answers, errors of handlers are nothing. */
  const busDeps = { clock, onHandlerError: () => undefined };
  /** Messages with batches that are still to be lost. */
  let lost = 0;
  const connect = (): Bus => {
    const affects = (subject: string): boolean => {
      options.onPublish?.(subject);
      if (lost === 0 || !subject.startsWith(`kn.v1.${RUN}.infer.`)) return false;
      lost -= 1;
      return true;
    };
    return lossyBus(broker, { draw: () => 0, dropRate: 1, affects }, busDeps).bus;
  };

  const openUnit =
    (replica: string, instance: string) =>
    ({ inputShape, layers }: InferenceUnitOptions): Promise<InferenceHandle> => {
      const measures = measureLayers({ input: [...inputShape], layers: [...layers] });
      const shapes = measures.flatMap(({ name, weights: own }) =>
        Object.entries(own).map(([weight, shape]) => [`weights/${name}/${weight}`, shape] as const),
      );
      const unit = fakeInference({
        inputShape,
        outputShape: measures.at(-1)?.outputShape ?? [],
        weights: Object.fromEntries(shapes),
        async before(call, release, rows) {
          const ownMs = typeof batchMs === "number" ? batchMs : batchMs(rows);
          if (call === "infer") await clock.sleep(ownMs * (slowness.get(release) ?? 1));
          await frozen.get(replica)?.thawed;
          if (workerless.has(instance))
            throw new KnowledgeNetError("KN_UNAVAILABLE", { attempt: call, rule: "the compute worker must live" });
          await before(replica, call, release);
        },
      });
      return Promise.resolve({
        ...unit,
        async infer(release, input) {
          const rows = input.shape[0] ?? 0; // the tensor moves
          const { result, computeMs } = await unit.infer(release, input);
          const ownMs = typeof batchMs === "number" ? computeMs : batchMs(rows);
          return { result, computeMs: ownMs * (slowness.get(release) ?? 1) };
        },
      });
    };

  const modelOf = (replica: string): Model => {
    const own = open("digits", options.model);
    return {
      ...own,
      async loadPart(release, block) {
        await options.onRead?.(replica, release.release);
        return own.loadPart(release, block);
      },
    };
  };

  const processOf = <A extends Actor>(actor: A, bus: Bus): SceneProcess<A> => {
    running.add(actor);
    void actor.ended.then(() => running.delete(actor));
    let isKilled = false;
    return {
      id: actor.id,
      actor,
      get isKilled() {
        return isKilled;
      },
      async kill() {
        isKilled = true;
        await bus.close();
        void actor.stop();
      },
    };
  };

  const startReplica = async (slice = 0, copy = 0): Promise<SceneReplica> => {
    const id = replicaActor(slice, copy);
    const bus = connect();
    instances += 1;
    const instance = `i${instances}`;
    const actor = createReplicaActor(
      {
        run: RUN,
        id,
        fence: 0,
        softwareVersion: "0.0.0",
        metadata: {},
        maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
        slice,
        slices,
        instance,
        host: "machine",
        maxBatch: 8,
        maxWaiting: 8,
      },
      {
        bus,
        clock,
        log: silentLogger,
        model: modelOf(id),
        openUnit: openUnit(id, instance),
        async countTensors() {
          await frozen.get(id)?.thawed;
          return tensors.get(id) ?? 0;
        },
      },
    );
    const replica = Object.assign(processOf(actor, bus), { instance });
    await actor.start();
    replicas.set(id, replica);
    return replica;
  };

  const startGatewayProcess = async (index = 0): Promise<SceneProcess<Gateway>> => {
    const bus = connect();
    const gateway = createGatewayActor(
      { ...GATEWAY, ...options.gateway, id: gatewayActor(index) },
      {
        bus,
        clock,
        log: silentLogger,
        model: open("digits", options.model),
        observer: { onRequest: (sample) => reports.push(sample), onBatch: () => undefined },
      },
    );
    const process = processOf(gateway, bus);
    await gateway.start();
    return process;
  };

  const scene = {
    ...models,
    truth,
    broker,
    reports,
    replicas,
    running,
    values,
    workerless,
    slowness,
    tensors,
    startReplica,
    startGatewayProcess,
    startGateway: async (index = 0): Promise<Gateway> => (await startGatewayProcess(index)).actor,
    replica(slice = 0, copy = 0): SceneReplica {
      const found = replicas.get(replicaActor(slice, copy));
      if (found === undefined) throw new RangeError(`no replica ${copy} of slice ${slice}`);
      return found;
    },
    /** The unit of a replica does not answer until the returned function is called. */
    freeze(id: string): () => void {
      let thaw: () => void = () => undefined;
      const thawed = new Promise<void>((resolve) => {
        thaw = resolve;
      });
      frozen.set(id, { thawed, thaw });
      return () => {
        frozen.delete(id);
        thaw();
      };
    },
    /** The worker of a replica ends: its next call fails. */
    killWorker(replica: SceneReplica): void {
      workerless.add(replica.instance);
    },
    /** The next messages with batches, of any sender, are lost. */
    lose(messages: number): void {
      lost = messages;
    },
    /** Advances until `condition` holds. */
    async until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 20_000): Promise<void> {
      for (let passed = 0; !(await condition()); passed += 1) {
        if (passed > limitMs) throw new Error(`not reached in ${limitMs} ms: ${what}`);
        await clock.advance(1);
      }
    },
    /** Weights that are all `value`, as a new release. */
    async publishValue(value: number): Promise<number> {
      const { release } = await publish(value);
      values.set(release, value);
      return release;
    },
    /** The same, whatever faults the store has. */
    async publishTrue(value: number): Promise<number> {
      const { release } = await truth.publish(FACTS, weights(value));
      values.set(release, value);
      return release;
    },
    /** Makes a release live without a look at it, as an older version or another site might. */
    async force(release: number): Promise<void> {
      const records = await plain.kv(ARTIFACT_RECORDS);
      const record = await truth.live();
      const next = changeLive("digits", record, { kind: "promote", release }, BY, clock.wallTimeMs());
      await records.put(liveKey("digits"), new TextEncoder().encode(JSON.stringify(next)));
    },
    /** Publishes weights that are all `value`, makes them live, and waits until `gateway` answers with them. */
    async release(value: number, gateway: Gateway): Promise<number> {
      const release = await scene.publishValue(value);
      await model.promote(release, BY);
      await scene.until(() => gateway.model.live?.release === release, `release ${release} to be live`);
      return release;
    },
    /** The outcome, with the clock running. */
    async outcome(pending: Promise<InferenceOutcome>): Promise<InferenceOutcome> {
      let found: InferenceOutcome | undefined;
      let failure: unknown;
      pending.then(
        (outcome) => {
          found = outcome;
        },
        (error: unknown) => {
          failure = error;
        },
      );
      await scene.until(() => found !== undefined || failure !== undefined, "an outcome", 120_000);
      if (found === undefined) throw failure;
      return found;
    },
    /** What is wrong with an answer; undefined: it is that of the release that it names, or a refusal. */
    fault(input: TensorView, outcome: InferenceOutcome): string | undefined {
      if (outcome.kind === "refusal") return undefined;
      const value = values.get(outcome.release);
      if (value === undefined) return `release ${outcome.release} was not published here`;
      const [got, want] = [Array.from(outcome.logits.values).join(), expected(value, input, slices).join()];
      return got === want ? undefined : `release ${outcome.release} answers ${want}, not ${got}`;
    },
    async stopAll(): Promise<void> {
      for (const { thaw } of frozen.values()) thaw();
      frozen.clear();
      const all = [...running].map((actor) => actor.stop());
      let isStopped = false;
      void Promise.all(all).finally(() => {
        isStopped = true;
      });
      await scene.until(() => isStopped, "the end of the actors", 120_000);
    },
    [Symbol.asyncDispose]: () => scene.stopAll(),
  };

  if (isStarted) {
    for (let slice = 0; slice < slices; slice += 1)
      for (let copy = 0; copy < copies; copy += 1) await startReplica(slice, copy);
    for (let index = 0; index < gateways; index += 1) started.push(await scene.startGateway(index));
  }
  return Object.assign(scene, { gateways: started, gateway: started[0] as Gateway });
}
export type ServingScene = Awaited<ReturnType<typeof servingScene>>;
