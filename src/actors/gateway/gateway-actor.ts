/**
 * A gateway: answers requests for inference with one model by batches through its replicas. Front ends reach it as
 * `ServedModel`, clients of the bus on `kn.v1.infer.<model>`.
 */
import { fromPromise } from "xstate";
import { NO_PROGRESS, runSubject } from "../../messages/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import { createFrameInbox } from "../link/index.ts";
import type { BatchContent } from "./batch-content.ts";
import { createBatchTimes } from "./batch-times.ts";
import { createGatewayBatches } from "./gateway-batches.ts";
import { gatewayLifecycle, isOpen } from "./gateway-lifecycle.ts";
import type { GatewayActorDeps, GatewayActorOptions, GatewayObserver } from "./gateway-options.ts";
import { createGatewayReleases } from "./gateway-releases.ts";
import { createGatewayWork } from "./gateway-work.ts";
import type { Priority, ServedModel } from "./inference.ts";
import { type InferEndpoint, openInferEndpoint } from "./infer-endpoint.ts";
import { createLiveInputSender } from "./live-inputs.ts";
import { createPressureNotices } from "./pressure-notices.ts";
import { createReplicaTable } from "./replica-table.ts";
import { watchReplicas } from "./watch-replicas.ts";

export interface Gateway extends Actor {
  readonly model: ServedModel;
  /** Samples that wait, by priority. */
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Takes no request from the bus any more, and resolves when those that it took are answered. */
  leaveBus(): Promise<void>;
}

const NO_OBSERVER: GatewayObserver = { onRequest: () => undefined, onBatch: () => undefined };

export function createGatewayActor(options: GatewayActorOptions, deps: GatewayActorDeps): Gateway {
  const { run, id, fence, maxFrameBytes, maxBatch, softwareVersion, observe = "none" } = options;
  const { bus, clock, log, model, observer = NO_OBSERVER } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const table = createReplicaTable();
  const times = createBatchTimes();
  const ending = new AbortController();
  let following: Promise<unknown> | undefined;
  let endpoint: InferEndpoint | undefined;
  let forgetOutages = (): void => undefined;

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
  const liveInputs = createLiveInputSender({ model: model.name }, { bus, log });
  const onDispatched = createPressureNotices(
    { model: model.name, targetMs: options.queueTargetMs, host: options.host },
    { bus, clock, log, table },
  );
  const work = createGatewayWork(
    { ...options, model: model.name },
    { clock, log, table, times, releases, batches, observer, liveInputs, onDispatched },
  );

  const replicas = watchReplicas({ channel, clock, log, table, times, batches, releases, onLost: work.onLost });

  const results = createFrameInbox(
    { maxFrameBytes, what: "result" },
    {
      log,
      onFrame(frame) {
        if (frame.kind !== "stageResult") return false;
        work.onResult(frame.result);
        return true;
      },
    },
  );

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
    refuseUnread: () => work.refuseUnread(),
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
          handler: results.receive,
        },
      ],
      watches: [{ actor: "*", listener: replicas.onEvent }],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      async open() {
        // Requests wait for the server within their deadlines: it holds nothing against the replicas.
        forgetOutages = bus.on("disconnected", () => {
          table.suspend(clock.now());
        });
        endpoint = await openInferEndpoint({ maxFrameBytes, softwareVersion }, { served, bus });
      },
      async close() {
        forgetOutages();
        liveInputs.close();
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
        batchesUnderWay: batches.count,
        undecodable: results.undecodable,
        ...(observe === "none" ? {} : { observe, liveInputs: liveInputs.counts }),
        replicas: table.replicas.map(({ id: replica, slice, ready }) => ({ replica, slice, releases: [...ready] })),
      }),
      onReconnected() {
        table.resume(clock.now());
        // What was sent before may be lost; a batch computed twice does no harm.
        work.onLost(() => true, "the connection was lost");
        work.pump();
      },
      onState(state) {
        // Not before: the chart takes no events of these while it opens.
        if (state === "waiting") following ??= Promise.all([releases.run(ending.signal), replicas.run(ending.signal)]);
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
