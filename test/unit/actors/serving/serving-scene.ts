/**
 * A served model in simulated time: gateway, replicas, model registry and bus are the real ones; the mathematics is linear
 * in the input and differs from release to release, so that an answer tells which weights computed it.
 */
import { createGatewayActor, type Gateway, type InferenceOutcome } from "../../../../src/actors/gateway/index.ts";
import type { GatewayActorOptions, RequestSample } from "../../../../src/actors/gateway/index.ts";
import { createReplicaActor } from "../../../../src/actors/replica/index.ts";
import type { InferenceHandle, InferenceUnitOptions } from "../../../../src/compute/index.ts";
import { DEFAULT_MAX_FRAME_BYTES, type TensorView } from "../../../../src/messages/index.ts";
import { createMemoryBroker } from "../../../../src/runtime/bus/index.ts";
import type { Actor } from "../../../../src/runtime/actor/index.ts";
import { silentLogger } from "../../../../src/runtime/telemetry/index.ts";
import { gatewayActor, measureLayers, replicaActor } from "../../../../src/run-spec/index.ts";
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
  /** Simulated time of one batch in a slice, ms. @default 2 */
  readonly batchMs?: number;
  /** Before each call of a replica's unit. */
  readonly before?: (replica: string, call: FakeInferenceCall, release: number) => void | Promise<void>;
}

export interface SceneReplica {
  readonly id: string;
  readonly actor: Actor;
  /** Ends it at once, without a word, as SIGKILL does. */
  kill(): Promise<void>;
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
  const { slices = 1, copies = 1, gateways = 1, batchMs = 2, before = () => undefined } = options;
  const { clock, faults, model, open, publish } = await modelScene();
  const broker = createMemoryBroker();
  const reports: RequestSample[] = [];
  const replicas = new Map<string, SceneReplica>();
  const open_ = new Set<Actor>();
  let instances = 0;

  const openUnit =
    (replica: string) =>
    ({ inputShape, layers }: InferenceUnitOptions): Promise<InferenceHandle> => {
      const measures = measureLayers({ input: [...inputShape], layers: [...layers] });
      const shapes = measures.flatMap(({ name, weights: own }) =>
        Object.entries(own).map(([weight, shape]) => [`weights/${name}/${weight}`, shape] as const),
      );
      const unit = fakeInference({
        inputShape,
        outputShape: measures.at(-1)?.outputShape ?? [],
        weights: Object.fromEntries(shapes),
        async before(call, release) {
          if (call === "infer") await clock.sleep(batchMs);
          await before(replica, call, release);
        },
      });
      return Promise.resolve(unit);
    };

  const startReplica = async (slice = 0, copy = 0): Promise<SceneReplica> => {
    const id = replicaActor(slice, copy);
    const bus = broker.connect();
    instances += 1;
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
        instance: `i${instances}`,
        maxBatch: 8,
        maxWaiting: 8,
      },
      { bus, clock, log: silentLogger, model: open(), openUnit: openUnit(id) },
    );
    open_.add(actor);
    await actor.start();
    const replica = {
      id,
      actor,
      async kill() {
        open_.delete(actor);
        await bus.close();
      },
    };
    replicas.set(id, replica);
    return replica;
  };

  const startGateway = async (index = 0): Promise<Gateway> => {
    const gateway = createGatewayActor(
      { ...GATEWAY, ...options.gateway, id: gatewayActor(index) },
      {
        bus: broker.connect(),
        clock,
        log: silentLogger,
        model: open(),
        observer: { onRequest: (sample) => reports.push(sample), onBatch: () => undefined },
      },
    );
    open_.add(gateway);
    await gateway.start();
    return gateway;
  };

  const scene = {
    clock,
    faults,
    model,
    open,
    publish,
    broker,
    reports,
    replicas,
    startReplica,
    startGateway,
    /** Advances until `condition` holds. */
    async until(condition: () => boolean | Promise<boolean>, what: string, limitMs = 20_000): Promise<void> {
      for (let passed = 0; !(await condition()); passed += 1) {
        if (passed > limitMs) throw new Error(`not reached in ${limitMs} ms: ${what}`);
        await clock.advance(1);
      }
    },
    /** Publishes weights that are all `value`, makes them live, and waits until `gateway` answers with them. */
    async release(value: number, gateway: Gateway): Promise<number> {
      const { release } = await publish(value);
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
    async [Symbol.asyncDispose]() {
      const stopping = Promise.all([...open_].map((actor) => actor.stop()));
      let isStopped = false;
      void stopping.finally(() => {
        isStopped = true;
      });
      await scene.until(() => isStopped, "the end of the actors", 120_000);
    },
  };

  const started: Gateway[] = [];
  for (let slice = 0; slice < slices; slice += 1)
    for (let copy = 0; copy < copies; copy += 1) await startReplica(slice, copy);
  for (let index = 0; index < gateways; index += 1) started.push(await startGateway(index));
  const [gateway] = started;
  if (gateway === undefined) throw new RangeError("a scene needs a gateway");
  return Object.assign(scene, { gateway, gateways: started });
}
