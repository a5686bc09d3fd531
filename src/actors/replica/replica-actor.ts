/**
 * A replica: computes one slice of a served network for batches that name their release, and passes the result on to the
 * next slice or back to the gateway. It keeps nothing of a batch: a lost one is the gateway's to send again.
 */
import { fromPromise } from "xstate";
import {
  encodeStageBatch,
  encodeStageResult,
  failureOf,
  NO_PROGRESS,
  runSubject,
  splitFrame,
  type StageBatch,
  type StageResult,
} from "../../messages/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import { settlesWithin } from "../../runtime/clock/index.ts";
import { createFrameInbox } from "../link/index.ts";
import { createHeldReleases } from "./held-releases.ts";
import { createReleaseLoader } from "./release-loader.ts";
import { createReplicaBatches } from "./replica-batches.ts";
import { isTakingBatches, replicaLifecycle } from "./replica-lifecycle.ts";
import type { ReplicaActorDeps, ReplicaActorOptions } from "./replica-options.ts";
import { ownTensor } from "../../runtime/stream/index.ts";
import { createTensorCount } from "./tensor-count.ts";

/** Time between two announcements of the releases, and between two counts of tensors, ms. */
const ANNOUNCE_EVERY_MS = 1_000;

/** A replica that leaves waits until no batch came for so long, and at most for so long, ms. */
const QUIET_MS = 200;
const MAX_QUIET_WAIT_MS = 3_000;
/** And for the batches that it has until their deadlines, for so long at most, ms. */
const MAX_DRAIN_MS = 20_000;

export function createReplicaActor(options: ReplicaActorOptions, deps: ReplicaActorDeps): Actor {
  const { run, id, fence, slice, slices, instance, maxBatch, maxWaiting, maxFrameBytes, host } = options;
  const { bus, clock, log, model, openUnit, countTensors } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const held = createHeldReleases();
  const tensors = createTensorCount(countTensors, log);
  const ending = new AbortController();
  /** When a batch came last. */
  let takenMs = 0;
  let following: Promise<unknown> = Promise.resolve();

  const announce = (): void => {
    const { state } = actor;
    if (!isTakingBatches(state)) return;
    const { list } = held;
    channel.emit({
      kind: "ReplicaState",
      instance,
      slice,
      slices,
      state,
      held: list,
      inFlight: batches.inFlight,
      host,
    });
  };
  const announceRegularly = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      loader.sweep();
      announce();
      tensors.refresh();
      await clock.sleep(ANNOUNCE_EVERY_MS, ending.signal).catch(() => undefined);
    }
  };

  const loader = createReleaseLoader(
    { slice, slices, warmBatches: [1, maxBatch] },
    {
      model,
      held,
      openUnit,
      clock,
      log,
      onFailed: (error) => {
        actor.host.send({ type: "Failed", error });
      },
      onPhase: (type) => {
        actor.host.send({ type });
      },
      onChange: () => {
        if (held.isAnyReady) actor.host.send({ type: "ReleaseReady" });
        announce();
      },
      onSettled: tensors.refresh,
    },
  );

  const publish = (to: string, frame: Uint8Array): void => {
    try {
      for (const part of splitFrame(frame, bus.maxPayloadBytes)) bus.publish(runSubject(run, "infer", to), part);
    } catch (error) {
      log.warn({ err: error, to }, "result not sent: the gateway sends the batch again");
    }
  };
  const answer = (
    { gateway, batch, release, computeUs }: StageBatch,
    result: Pick<StageResult, "outcome" | "nonFinite" | "activations">,
  ): void => {
    publish(gateway, encodeStageResult({ batch, release, sender: id, computeUs, ...result }));
  };

  const batches = createReplicaBatches(
    { id, maxWaiting },
    {
      clock,
      held,
      unitOf: loader.unitOf,
      onComputed(batch) {
        const { route, tensor, nonFinite } = batch;
        const [next, ...rest] = route;
        const { activations } = batch;
        const brought = activations === undefined ? {} : { activations };
        if (next === undefined) answer(batch, { outcome: { kind: "logits", logits: tensor }, nonFinite, ...brought });
        else {
          const passed = activations === undefined ? {} : { activations: [...activations, tensor] };
          publish(next, encodeStageBatch({ ...batch, ...passed, route: rest }));
        }
      },
      onRefused(batch, error) {
        answer(batch, { outcome: failureOf(error), nonFinite: [] });
      },
      onBusy: () => {
        actor.host.send({ type: "BatchTaken" });
      },
      onIdle: () => {
        actor.host.send({ type: "BatchesDone" });
      },
      onSettled: () => {
        loader.sweep();
      },
      onFailed: (error) => {
        actor.host.send({ type: "Failed", error });
      },
    },
  );

  const inbox = createFrameInbox(
    { maxFrameBytes, what: "batch" },
    {
      log,
      onFrame(frame, data) {
        if (frame.kind !== "stageBatch") return false;
        takenMs = clock.now();
        const { batch } = frame;
        const activations = batch.activations?.map((each) => ownTensor(each, data));
        const own = { ...batch, tensor: ownTensor(batch.tensor, data) };
        batches.take(activations === undefined ? own : { ...own, activations });
        return true;
      },
    },
  );

  /** Gateways have seen the state `draining` once no batch has come for a while. */
  const drain = async (): Promise<void> => {
    const endMs = clock.now() + MAX_QUIET_WAIT_MS;
    do await clock.sleep(QUIET_MS);
    while (clock.now() - takenMs < QUIET_MS && clock.now() < endMs);
    await actor.detach();
    const leftMs = Math.min(MAX_DRAIN_MS, Math.max(0, batches.lastDeadlineMs - clock.now()));
    await settlesWithin(leftMs, batches.whenIdle(), clock);
    await bus.flush().catch(() => undefined); // a lost connection: the gateway sends the batches again
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: "kn-replica",
      description: slices === 1 ? `the whole of ${model.name}` : `slice ${slice} of ${slices} of ${model.name}`,
      chart: ({ open, close }) => replicaLifecycle.provide({ actors: { open, close, drain: fromPromise(drain) } }),
      input: undefined,
      isReady: isTakingBatches,
      stopEvent: () => ({ type: "Stop" }) as const,
      endpoints: [
        {
          name: "infer",
          subject: runSubject(run, "infer", id),
          handler: inbox.receive,
        },
      ],
      watches: [],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      open: () => Promise.resolve(),
      async close() {
        ending.abort();
        await following;
        await loader.close().catch(() => undefined); // its worker may be what failed
      },
      progress: () => NO_PROGRESS,
      stats: () => ({
        ...batches.counts,
        undecodable: inbox.undecodable,
        inFlight: batches.inFlight,
        held: held.list,
        tensors: tensors.newest,
      }),
      onReconnected: announce,
      onState(state) {
        // Not before: the chart takes no events of the loader while it opens.
        if (state === "loading") following = Promise.all([loader.run(ending.signal), announceRegularly()]);
        return true;
      },
    },
  );
  return actor;
}
