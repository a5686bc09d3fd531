/**
 * An observer: takes the inputs that gateways answered, chooses among them within a budget, and appends what it chose to the
 * log of observations. Gateways never wait for it; what it does not take is counted, input by input.
 */
import { fromPromise } from "xstate";
import { isKnowledgeNetError } from "../../errors/index.ts";
import { decodeLiveInputs, type LiveInputs, NO_PROGRESS, observeSubject } from "../../messages/index.ts";
import { type Actor, createActor, createControlChannel, refuseCommand } from "../../runtime/actor/index.ts";
import { type Clock, settlesWithin, type TimerHandle } from "../../runtime/clock/index.ts";
import { createCandidateUpdates } from "./candidate-updates.ts";
import { sweepExpired } from "./expiry-sweep.ts";
import { createHeldObservations } from "./held-observations.ts";
import { createInputChoice } from "./input-choice.ts";
import { createObservationUpload } from "./observation-upload.ts";
import { isTakingInputs, observerLifecycle } from "./observer-lifecycle.ts";
import type { ObserverActorDeps, ObserverActorOptions } from "./observer-options.ts";

/** An observer of a model takes the next inputs: they are all alike. */
const QUEUE = "observers";
/** Pause before the next attempt to read a manifest while the store is away, ms. */
const RETRY_MS = 500;
/** What is held when it leaves may be appended for so long, ms. */
const LEAVE_MS = 2_000;
const MINUTE_MS = 60_000;
/** Slots that may wait at once while the store takes them: one under way, one that has just ended. */
const SLOTS_IN_TURN = 2;
/** Times its usual length. 4: of a quarter of an hour that has waited the last is in the log after twenty minutes. */
const LONGEST_SLOT = 4;

export function createObserverActor(options: ObserverActorOptions, deps: ObserverActorDeps): Actor {
  const { run, id, fence, maxHeldInputs, maxHeldBytes } = options;
  const { bus, clock, log, model } = deps;
  const channel = createControlChannel({ run, actor: id, fence }, { bus, log });
  const held = createHeldObservations({ maxInputs: maxHeldInputs, maxBytes: maxHeldBytes });
  const nowMs = steadyWallTime(clock);
  const ending = new AbortController();
  const candidates = createCandidateUpdates(deps, ending.signal);
  const choice = createInputChoice({ ...options, model: model.name }, { ...deps, ...candidates });
  const messages = { received: 0, undecodable: 0 };
  let following: Promise<unknown> = Promise.resolve();
  let timer: TimerHandle | undefined;
  /** Release whose network inputs are of. */
  let known: number | undefined;
  /** Why the inputs of the live release are not observed. */
  let obstacle: string | undefined;

  const upload = createObservationUpload(
    { ...options, model: model.name },
    {
      ...deps,
      held,
      nowMs,
      onStore(type) {
        actor.host.send({ type });
      },
    },
  );

  /**
   * Takes the slot when it has ended. The more of them wait for the store, or for a budget that others spend, the longer it
   * lasts: what is chosen is less than what may be uploaded, so that it never waits behind them for good.
   */
  const schedule = (): void => {
    const { dueMs } = choice;
    if (timer !== undefined || dueMs === undefined || ending.signal.aborted) return;
    const longer = Math.min(LONGEST_SLOT - 1, Math.max(0, held.slots - SLOTS_IN_TURN));
    const longerMs = (longer * MINUTE_MS) / options.slotsPerMinute;
    timer = clock.setTimeout(
      () => {
        timer = undefined;
        held.add(choice.take(nowMs()));
        upload.kick();
        schedule();
      },
      Math.max(1, Math.ceil(dueMs - nowMs() + longerMs)),
    );
  };

  const receive = (data: Uint8Array): void => {
    messages.received += 1;
    let inputs: LiveInputs;
    try {
      inputs = decodeLiveInputs(data, { maxBytes: bus.maxPayloadBytes });
    } catch (error) {
      messages.undecodable += 1;
      log.debug({ err: error }, "live inputs refused");
      return;
    }
    choice.consider(inputs, nowMs());
    schedule();
  };

  const learn = async (live: number): Promise<void> => {
    const { input, classes } = (await model.release(live)).manifest.network;
    choice.setNetwork({ input, classes });
    known = live;
    obstacle = undefined;
  };
  /** Learns every release that becomes live; until then inputs count as those of the network before. */
  const follow = async (): Promise<void> => {
    for await (const { live } of model.changes(ending.signal)) {
      while (live !== undefined && live !== known && !ending.signal.aborted) {
        try {
          await learn(live);
        } catch (error) {
          log.warn({ err: error, release: live }, "inputs of this release are not observed");
          obstacle = error instanceof Error ? error.message : String(error);
          if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) break;
          await clock.sleep(RETRY_MS, ending.signal).catch(() => undefined);
        }
      }
      if (known !== undefined) actor.host.send({ type: "NetworkKnown" });
    }
  };

  /** A budget that holds none of its inputs is told at once, where a release is live. */
  const open = async (): Promise<void> => {
    try {
      const { live } = await model.live();
      if (live !== undefined) await learn(live);
    } catch (error) {
      if (!isKnowledgeNetError(error, "KN_UNAVAILABLE")) throw error;
    }
  };
  const leave = async (): Promise<void> => {
    ending.abort();
    if (timer !== undefined) clock.clearTimeout(timer);
    await following;
    await upload.end();
    if (held.inputs > 0) log.warn({ observations: held.inputs }, "observations lost: the store did not take them");
  };

  const actor = createActor(
    options,
    { bus, clock, log, channel },
    {
      kind: "kn-observer",
      description: `inputs of ${model.name}`,
      chart: ({ open: opening, close }) =>
        observerLifecycle.provide({
          actors: {
            open: opening,
            close,
            drain: fromPromise(async () => {
              await actor.detach();
              await settlesWithin(LEAVE_MS, upload.whenIdle(), clock);
            }),
          },
        }),
      input: undefined,
      isReady: isTakingInputs,
      stopEvent: () => ({ type: "Stop" }) as const,
      endpoints: [
        {
          name: "inputs",
          subject: observeSubject(model.name),
          queue: QUEUE,
          handler: ({ data }) => {
            receive(data);
          },
        },
      ],
      watches: [],
      commands: (command) => Promise.reject(refuseCommand(id, command)),
      open,
      close: leave,
      progress: () => NO_PROGRESS,
      stats: () => ({
        model: model.name,
        epoch: options.epoch,
        release: known ?? null,
        ...(obstacle === undefined ? {} : { obstacle }),
        messages,
        inputs: choice.counts,
        pending: choice.pending,
        observations: { ...upload.counts, ...held.counts },
        uploadedBytes: upload.bytes,
        held: { inputs: held.inputs, bytes: held.bytes },
      }),
      onReconnected: () => undefined,
      onState(state) {
        // Not before: the chart takes no events of these while it opens.
        if (state === "waiting")
          following = Promise.all([follow(), sweepExpired(model.name, { ...deps, nowMs }, ending.signal)]);
        return true;
      },
    },
  );
  return actor;
}

/** Wall-clock time in whole ms that never goes back nor stands still: a clock that is set back does not stop the slots. */
function steadyWallTime(clock: Clock): () => number {
  let originMs = -Infinity;
  return () => {
    const sinceMs = clock.now();
    originMs = Math.max(originMs, clock.wallTimeMs() - sinceMs);
    return Math.floor(originMs + sinceMs);
  };
}
