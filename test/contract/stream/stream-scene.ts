/** A sender and a receiver of one stream, each with several incarnations, over a network that loses messages. */
import { encodeActivation, encodeGap, NO_PROGRESS, runSubject } from "../../../src/messages/index.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import type { Bus } from "../../../src/runtime/bus/index.ts";
import { simulatedClock } from "../../../src/runtime/clock/index.ts";
import {
  createDrainTracker,
  createDropCounters,
  createFrameReceiver,
  createFrameSender,
  createInputStream,
  createOutbox,
  RETRANSMIT_AFTER_MS,
} from "../../../src/runtime/stream/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { createLossyNetwork, type Fate, type StreamHarness } from "./stream-harness.ts";

const RUN = "contract";
const SENDER = "block-0";
const RECEIVER = "block-1";
const SUBJECT = runSubject(RUN, "act", 0);
/** Messages between sender and receiver at most. */
const WINDOW = 4;
const IN_FLIGHT = 2;
/** Of [1, ELEMENTS] f32: three chunks or so. */
const ELEMENTS = 2500;
const MAX_FRAME_BYTES = 64 * 1024;
/** With `isDropping` every n-th message may not be dropped, as an evaluation batch. */
const KEPT_EVERY = 5;

/** What a receiver took from its queue. */
export interface Taken {
  readonly kind: "message" | "gap";
  readonly last: number;
}

/** Everything that one incarnation of the receiver took, after its checkpoint at `start`. */
export interface ReceiverLog {
  readonly start: number;
  readonly taken: Taken[];
}

interface Sender {
  readonly posted: number;
  readonly outstanding: number;
  postWithinWindow(total: number): void;
  reconnected(): void;
  drain(): Promise<void>;
  close(): void;
}

interface Receiver {
  readonly log: ReceiverLog;
  readonly consumed: number;
  readonly waiting: number;
  consume(count: number): void;
  reconnected(): void;
  close(): void;
}

export interface StreamSceneOptions {
  readonly fates: readonly Fate[];
  /** Sequences that are sent in all. */
  readonly total: number;
  /** The sender drops older messages in favour of newer ones. */
  readonly isDropping: boolean;
}

export interface StreamScene extends AsyncDisposable {
  readonly logs: readonly ReceiverLog[];
  /** Highest position at which a sender began without what was before it. */
  readonly lostBySender: number;
  /** Highest position that an earlier incarnation of the receiver had acknowledged. */
  readonly lostByReceiver: number;
  readonly failures: readonly Error[];
  post(): void;
  consume(count: number): Promise<void>;
  /** Delivers what is under way, then lets the time of one retransmission pass. */
  tick(): Promise<void>;
  /** The sender's successor starts `back` messages behind. Its predecessor was suspended, and sends on. */
  restartSender(back: number): void;
  restartReceiver(back: number): Promise<void>;
  outage(): Promise<void>;
  /** The network loses nothing more. Resolves when the sender has drained. @returns what is outstanding after it */
  finish(): Promise<{ readonly sender: number; readonly receiver: number; readonly timers: number }>;
}

export async function createStreamScene(options: StreamSceneOptions, harness: StreamHarness): Promise<StreamScene> {
  const { total, isDropping } = options;
  const clock = simulatedClock();
  const network = createLossyNetwork(options.fates);
  const buses = [await harness.connect(), await harness.connect()] as const;
  const [senderBus, receiverBus] = buses.map((bus) => network.through(bus)) as [Bus, Bus];
  const failures: Error[] = [];
  const fail = (error: Error): void => void failures.push(error);

  const createSender = (fence: number, start: number): Sender => {
    const send = createFrameSender(
      { maxFrameBytes: MAX_FRAME_BYTES },
      { bus: senderBus, clock, log: silentLogger, fail },
    );
    const header = (sequence: number) => ({ run: RUN, sender: SENDER, sequence, step: sequence, version: 0, fence });
    const outbox = createOutbox(
      { retransmitAfterMs: RETRANSMIT_AFTER_MS, ...(isDropping ? { inFlight: IN_FLIGHT } : {}) },
      {
        clock,
        send,
        sendGap: (first, { sequence, step }) => {
          send(SUBJECT, encodeGap({ header: { ...header(sequence), step }, first }));
        },
      },
    );
    const drain = createDrainTracker(outbox);
    const watching = createControlChannel(
      { run: RUN, actor: SENDER, fence },
      { bus: senderBus, log: silentLogger },
    ).watch(RECEIVER, ({ fact }) => {
      if (fact.kind === "StateEntered") drain.onReceiverState(fact.state);
      if (fact.kind === "Progress") outbox.acknowledge(fact.consumed);
    });
    let posted = start;
    outbox.begin({ sequence: start, step: start });
    return {
      get posted() {
        return posted;
      },
      get outstanding() {
        return outbox.size + total - outbox.acknowledged;
      },
      postWithinWindow(end) {
        while (posted < end && outbox.size < WINDOW) {
          posted += 1;
          const isReplaceable = isDropping && posted % KEPT_EVERY !== 0;
          outbox.post({ sequence: posted, step: posted }, SUBJECT, frameOf(header(posted)), isReplaceable);
        }
      },
      reconnected: () => {
        outbox.retransmit();
      },
      drain: () => drain.drain(total),
      close() {
        watching.unsubscribe();
        outbox.close();
      },
    };
  };

  const createReceiver = async (fence: number, start: number): Promise<Receiver> => {
    const channel = createControlChannel({ run: RUN, actor: RECEIVER, fence }, { bus: receiverBus, log: silentLogger });
    const drops = createDropCounters();
    const queue: Taken[] = [];
    const log: ReceiverLog = { start, taken: [] };
    let consumed = start;
    let newestFence = 0;
    const acknowledge = (): void => {
      channel.emit({ ...NO_PROGRESS, consumed });
    };
    const input = createInputStream<{ header: Parameters<typeof frameOf>[0]; content: number | undefined }>(
      { depth: 2 * WINDOW, isDropping },
      {
        clock,
        drops,
        queue: {
          get size() {
            return queue.length;
          },
          put({ header, content }) {
            if (content !== header.sequence) fail(new Error(`${header.sequence} arrived with content ${content}`));
            if (header.fence < newestFence) fail(new Error(`${header.sequence} of a stale sender was accepted`));
            newestFence = header.fence;
            queue.push({ kind: "message", last: header.sequence });
          },
          putGap: ({ sequence }) => void queue.push({ kind: "gap", last: sequence }),
        },
        acknowledge,
        onDuplicate: acknowledge,
      },
    );
    const handle = createFrameReceiver(
      { run: RUN, fence, maxFrameBytes: MAX_FRAME_BYTES },
      {
        ...{ clock, drops, log: silentLogger, fail },
        onActivation: ({ header, tensor }, bytes) => input.accept({ header, content: tensor.values[0] }, bytes),
        onGap: input.skip,
      },
    );
    const receiving = receiverBus.subscribe(SUBJECT, handle);
    await receiverBus.flush();
    input.begin(start, fence > 1);
    channel.emit({ kind: "StateEntered", state: "running" });
    return {
      log,
      get consumed() {
        return consumed;
      },
      get waiting() {
        return queue.length;
      },
      consume(count) {
        for (const taken of queue.splice(0, count)) {
          log.taken.push(taken);
          consumed = taken.last;
          acknowledge();
        }
      },
      reconnected: acknowledge,
      close() {
        receiving.unsubscribe();
        input.close();
      },
    };
  };

  let senderFence = 1;
  let receiverFence = 1;
  let sender = createSender(senderFence, 0);
  let receiver = await createReceiver(receiverFence, 0);
  const suspended: Sender[] = [];
  const logs: ReceiverLog[] = [receiver.log];
  let lostBySender = 0;
  let lostByReceiver = 0;

  const settle = (): Promise<void> => harness.settle(buses);
  const scene: StreamScene = {
    logs,
    failures,
    get lostBySender() {
      return lostBySender;
    },
    get lostByReceiver() {
      return lostByReceiver;
    },
    post() {
      sender.postWithinWindow(total);
    },
    async consume(count) {
      await settle();
      receiver.consume(count);
    },
    async tick() {
      network.release();
      await settle();
      await clock.advance(RETRANSMIT_AFTER_MS);
      await settle();
    },
    restartSender(back) {
      suspended.push(sender);
      const start = Math.max(0, sender.posted - back);
      lostBySender = Math.max(lostBySender, start);
      sender = createSender((senderFence += 1), start);
    },
    async restartReceiver(back) {
      receiver.close();
      lostByReceiver = Math.max(lostByReceiver, receiver.consumed);
      receiver = await createReceiver((receiverFence += 1), Math.max(0, receiver.consumed - back));
      logs.push(receiver.log);
    },
    async outage() {
      const heard = (event: "disconnected" | "reconnected") =>
        Promise.all(
          buses.map(
            (bus) =>
              new Promise<void>((resolve) => {
                const forget = bus.on(event, () => {
                  forget();
                  resolve();
                });
              }),
          ),
        );
      await Promise.all([heard("disconnected"), harness.interrupt()]);
      sender.postWithinWindow(total);
      receiver.consume(1);
      await Promise.all([heard("reconnected"), harness.restore()]);
      receiver.reconnected();
      sender.reconnected();
    },
    async finish() {
      network.calm();
      for (const each of suspended) each.close();
      const rounds = 50 * (total + 1);
      const isOpen = (): boolean => sender.outstanding > 0 || receiver.consumed < total;
      for (let round = 0; round < rounds && isOpen(); round += 1) {
        sender.postWithinWindow(total);
        await scene.tick();
        await scene.consume(WINDOW);
      }
      const outstanding = { sender: sender.outstanding, receiver: receiver.waiting };
      if (outstanding.sender === 0) await sender.drain();
      sender.close();
      receiver.close();
      return { ...outstanding, timers: clock.pendingTimers };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(buses.map((bus) => bus.close()));
      await harness[Symbol.asyncDispose]();
    },
  };
  return scene;
}

function frameOf(header: Parameters<typeof encodeActivation>[0]["header"]): Uint8Array {
  return encodeActivation(
    {
      header,
      phase: "train",
      evaluation: 0,
      tensor: { dtype: "f32", shape: [1, ELEMENTS], values: new Float32Array(ELEMENTS).fill(header.sequence) },
      labels: { dtype: "i32", shape: [1], values: Int32Array.of(0) },
    },
    "raw",
  );
}
