/**
 * A gateway: answers requests for inference with one model by batches through its replicas. Front ends reach it as
 * `ServedModel`, clients of the bus on `kn.v1.infer.<model>`.
 */
import { fromPromise } from "xstate";
import { isKnowledgeNetError } from "../../errors/index.ts";
import { createChunkAssembler, decodeFrame, type Event, NO_PROGRESS, runSubject } from "../../messages/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import { createBatchTimes } from "./batch-times.ts";
import { createGatewayBatches } from "./gateway-batches.ts";
import { gatewayLifecycle, isOpen } from "./gateway-lifecycle.ts";
import type { GatewayActorDeps, GatewayActorOptions, GatewayObserver } from "./gateway-options.ts";
import { createGatewayReleases } from "./gateway-releases.ts";
import { type BatchContent, createGatewayWork } from "./gateway-work.ts";
import type { Priority, ServedModel } from "./inference.ts";
import { type InferEndpoint, openInferEndpoint } from "./infer-endpoint.ts";
import { createReplicaTable } from "./replica-table.ts";

export interface Gateway extends Actor {
  readonly model: ServedModel;
  /** Samples that wait, by priority. */
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Takes no request from the bus any more, and resolves when those that it took are answered. */
  leaveBus(): Promise<void>;
}

/** Time between two looks at the replicas of batches under way, ms. */
const PROBE_EVERY_MS = 250;
/** A batch is late after so many times its usual duration, and after so long at least, ms: then its replicas are probed. */
const LATE_FACTOR = 3;
const LATE_MS = 100;
/** A replica that does not answer a probe for so long is lost, ms. */
const PROBE_TIMEOUT_MS = 1_000;
/** A replica without a state for so long is lost, ms: three announcements, and half of one for delays. */
const MAX_SILENCE_MS = 3_500;

const NO_OBSERVER: GatewayObserver = { onRequest: () => undefined, onBatch: () => undefined };

export function createGatewayActor(options: GatewayActorOptions, deps: GatewayActorDeps): Gateway {
  const { run, id, fence, maxFrameBytes, maxBatch, softwareVersion } = options;
  const { bus, clock, log, model, observer = NO_OBSERVER } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const assembler = createChunkAssembler({ maxBytes: maxFrameBytes });
  const table = createReplicaTable();
  const times = createBatchTimes();
  const ending = new AbortController();
  const probing = new Set<string>();
  let undecodable = 0;
  let following: Promise<unknown> | undefined;
  let endpoint: InferEndpoint | undefined;

  const releases = createGatewayReleases(
    { id },
    {
      model,
      table,
      clock,
      log,
      onChange() {
        actor.host.send({ type: releases.live === undefined ? "Uncovered" : "Covered" });
        actor.host.send({ type: releases.isSwapping ? "SwapBegun" : "SwapEnded" });
        work.pump();
      },
    },
  );
  const batches = createGatewayBatches<BatchContent>({ run, id }, { bus, clock, table, times });
  const work = createGatewayWork(
    { ...options, model: model.name },
    { clock, log, table, times, releases, batches, observer },
  );

  const loseReplica = (replica: string, why: string): void => {
    log.warn({ replica, why }, "replica lost");
    table.lose(replica);
    work.onLost(({ route }) => route.includes(replica), `${replica} ${why}`);
    releases.reconcile();
  };

  const onReplica = ({ header: { sender }, fact }: Event): void => {
    if (fact.kind === "StateEntered" && table.replicas.some((each) => each.id === sender)) {
      if (fact.state === "draining") table.retire(sender);
      if (fact.state === "left" || fact.state === "failed") loseReplica(sender, fact.state);
      releases.reconcile();
    }
    if (fact.kind !== "ReplicaState") return;
    if (!table.observe(sender, fact, clock.now()))
      work.onLost(({ route }) => route.includes(sender), `${sender} is another process`);
    releases.reconcile();
  };

  /** No answer: the process has ended, or hangs. */
  const probe = async (replica: string): Promise<void> => {
    if (probing.has(replica)) return;
    probing.add(replica);
    try {
      await channel.order(replica, { kind: "ReportState" }, { timeoutMs: PROBE_TIMEOUT_MS });
    } catch (error) {
      if (isKnowledgeNetError(error, "KN_UNAVAILABLE") && !ending.signal.aborted)
        loseReplica(replica, "does not answer");
    } finally {
      probing.delete(replica);
    }
  };

  const look = (): void => {
    const nowMs = clock.now();
    for (const replica of table.silent(nowMs, MAX_SILENCE_MS)) loseReplica(replica, "is silent");
    const isLate = (sentMs: number, samples: number): boolean =>
      nowMs - sentMs > Math.max(LATE_MS, LATE_FACTOR * times.latencyMs(samples));
    const late = batches.underWay.filter(({ sentMs, samples }) => isLate(sentMs, samples));
    for (const replica of new Set(late.flatMap(({ route }) => route))) void probe(replica);
    releases.reconcile();
    releases.judgeAll();
  };
  const lookRegularly = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      look();
      await clock.sleep(PROBE_EVERY_MS, ending.signal).catch(() => undefined);
    }
  };

  const accept = (data: Uint8Array): void => {
    const frame = decodeFrame(data, { maxBytes: maxFrameBytes });
    if (frame.kind === "chunk") {
      const whole = assembler.accept(frame.chunk);
      if (whole !== undefined) accept(whole);
    } else if (frame.kind === "stageResult") work.onResult(frame.result);
    else undecodable += 1;
  };

  const served: ServedModel = {
    name: model.name,
    maxBatch,
    get live() {
      return releases.live;
    },
    get releases() {
      return releases.served;
    },
    get unready() {
      if (!isOpen(actor.state)) return [`the gateway of ${model.name} is ${actor.state}`];
      return releases.live === undefined ? [`no release of ${model.name} is loaded by a replica of each slice`] : [];
    },
    infer: (request) => work.infer(request),
  };
  const leaveBus = async (): Promise<void> => {
    await endpoint?.leave();
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: "kn-gateway",
      description: `requests for inference with ${model.name}`,
      chart: ({ open, close }) =>
        gatewayLifecycle.provide({
          actors: {
            open,
            close,
            drain: fromPromise(async () => {
              await leaveBus();
              await work.whenIdle();
              work.close();
            }),
          },
        }),
      input: undefined,
      isReady: isOpen,
      stopEvent: () => ({ type: "Stop" }) as const,
      endpoints: [
        {
          name: "results",
          subject: runSubject(run, "infer", id),
          handler: ({ data, subject }) => {
            try {
              accept(data);
            } catch (error) {
              undecodable += 1;
              log.warn({ err: error, subject }, "result refused");
            }
          },
        },
      ],
      watches: [{ actor: "*", listener: onReplica }],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      async open() {
        endpoint = await openInferEndpoint({ maxFrameBytes, softwareVersion }, { served, bus });
      },
      async close() {
        work.close();
        await leaveBus();
        ending.abort();
        await following;
      },
      progress: () => NO_PROGRESS,
      stats: () => ({
        model: model.name,
        live: releases.live?.release ?? null,
        outcomes: work.outcomes,
        waiting: work.waiting,
        batchesUnderWay: batches.underWay.length,
        undecodable,
        replicas: table.replicas.map(({ id: replica, slice, ready }) => ({ replica, slice, releases: [...ready] })),
      }),
      onReconnected() {
        // What was sent before may be lost; a batch computed twice does no harm.
        work.onLost(() => true, "the connection was lost");
      },
      onState(state) {
        // Not before: the chart takes no events of these while it opens.
        if (state === "waiting") following ??= Promise.all([releases.run(ending.signal), lookRegularly()]);
        return true;
      },
    },
  );
  return {
    id,
    get state() {
      return actor.state;
    },
    get waiting() {
      return work.waiting;
    },
    ended: actor.ended,
    model: served,
    start: () => actor.start(),
    stop: (stopOptions) => actor.stop(stopOptions),
    leaveBus,
  };
}
