/**
 * Sends inputs that the live release has answered to the observers of the model, and does not wait: what cannot be sent at
 * once is left out and counted. A request is never refused or delayed for it.
 */
import {
  encodeLiveInputs,
  type InputTensor,
  type LiveInputs,
  liveInputsBytes,
  MAX_BATCH_SAMPLES,
  observeSubject,
  type TensorView,
} from "../../messages/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { joinInputs } from "./join-inputs.ts";

export interface LiveInputSenderOptions {
  readonly model: string;
  /** Bytes that may be on their way to the broker; beyond them inputs are left out. @default 4 MiB, some full batches */
  readonly maxUnsentBytes?: number;
}

export interface LiveInputSenderDeps {
  readonly bus: Bus;
  readonly log: Logger;
}

export interface AnsweredInput {
  /** [n, ...sample], f32 or u8. */
  readonly input: TensorView;
  /** f32 [n, classes]. */
  readonly logits: TensorView;
  /** The same of a candidate that computed a copy, if one did. */
  readonly candidateLogits?: TensorView;
  /** Of that candidate: set exactly when its logits are. */
  readonly candidateRelease?: number;
}

/** Samples, by what became of them. */
export interface LiveInputCounts {
  readonly sent: number;
  /** One of them is too large for a message of the bus. */
  readonly tooLarge: number;
  /** The connection is lost. */
  readonly disconnected: number;
  /** The broker takes messages more slowly than they are answered. */
  readonly unsent: number;
  readonly failed: number;
}

export interface LiveInputSender {
  readonly counts: LiveInputCounts;
  /** Sends what it can; borrows the tensors until it returns. Never throws. */
  send(release: number, answered: readonly AnsweredInput[]): void;
  close(): void;
}

const DEFAULT_UNSENT_BYTES = 4 * 1024 * 1024;

export function createLiveInputSender(
  { model, maxUnsentBytes = DEFAULT_UNSENT_BYTES }: LiveInputSenderOptions,
  { bus, log }: LiveInputSenderDeps,
): LiveInputSender {
  const subject = observeSubject(model);
  const counts = { sent: 0, tooLarge: 0, disconnected: 0, unsent: 0, failed: 0 };
  let isConnected = true;
  /** Published, and not known to be with the broker. */
  let unsentBytes = 0;
  let isFlushing = false;
  const forget = [
    bus.on("disconnected", () => {
      isConnected = false;
    }),
    bus.on("reconnected", () => {
      isConnected = true;
    }),
  ];

  const publish = (inputs: LiveInputs): void => {
    const samples = inputs.input.shape[0] ?? 0;
    const message = encodeLiveInputs(inputs);
    if (unsentBytes > 0 && unsentBytes + message.byteLength > maxUnsentBytes) {
      counts.unsent += samples;
      return;
    }
    bus.publish(subject, message);
    counts.sent += samples;
    unsentBytes += message.byteLength;
    if (!isFlushing) flush();
  };

  const flush = (): void => {
    isFlushing = true;
    const bytes = unsentBytes;
    const settle = (): void => {
      isFlushing = false;
      unsentBytes -= bytes; // also what was lost with the connection: nobody waits for it
      if (unsentBytes > 0) flush();
    };
    bus.flush().then(settle, settle);
  };

  const sendAll = (release: number, answered: readonly AnsweredInput[]): void => {
    for (const alike of groupsOf(answered)) {
      const input = joinInputs(alike.map((each) => each.input)) as InputTensor;
      const logits = joinInputs(alike.map((each) => each.logits)) as LiveInputs["logits"];
      const copies = alike.map((each) => each.candidateLogits).filter((each) => each !== undefined);
      const candidate = copies.length === 0 ? undefined : (joinInputs(copies) as LiveInputs["logits"]);
      const candidateRelease = alike[0]?.candidateRelease;
      const samples = input.shape[0] ?? 0;
      const rows = rowsWithin(bus.maxPayloadBytes, { input, logits });
      if (rows === 0) counts.tooLarge += samples;
      for (let from = 0; rows > 0 && from < samples; from += rows) {
        const to = Math.min(samples, from + rows);
        publish({
          ...{ model, release, input: viewOf(input, from, to), logits: viewOf(logits, from, to) },
          ...(candidate === undefined ? {} : { candidateLogits: viewOf(candidate, from, to) }),
          ...(candidateRelease === undefined ? {} : { candidateRelease }),
        });
      }
    }
  };

  return {
    counts,
    send(release, answered) {
      if (!isConnected) {
        counts.disconnected += samplesOf(answered);
        return;
      }
      try {
        sendAll(release, answered);
      } catch (error) {
        counts.failed += samplesOf(answered);
        log.debug({ err: error, release }, "live inputs not published");
      }
    },
    close() {
      for (const each of forget) each();
    },
  };
}

function samplesOf(answered: readonly AnsweredInput[]): number {
  return answered.reduce((sum, { input }) => sum + (input.shape[0] ?? 0), 0);
}

/** Neighbours of one element type, all with logits of one candidate or of none. A batch has one shape. */
function groupsOf(answered: readonly AnsweredInput[]): AnsweredInput[][] {
  const groups: AnsweredInput[][] = [];
  for (const each of answered) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    const isAlike = first?.input.dtype === each.input.dtype && first.candidateRelease === each.candidateRelease;
    if (isAlike) last?.push(each);
    else groups.push([each]);
  }
  return groups;
}

/** Samples that a message may have. */
function rowsWithin(maxBytes: number, { input, logits }: Pick<LiveInputs, "input" | "logits">): number {
  const bytes = (n: number): number => liveInputsBytes({ input: shaped(input, n), logits: shaped(logits, n) });
  const overheadBytes = 2 * bytes(1) - bytes(2);
  const rows = Math.floor((maxBytes - overheadBytes) / (bytes(1) - overheadBytes));
  return Math.max(0, Math.min(MAX_BATCH_SAMPLES, rows));
}

function shaped<T extends TensorView>(tensor: T, n: number): T {
  return { ...tensor, shape: [n, ...tensor.shape.slice(1)] };
}

/** Rows `from` to `to` (exclusive), borrowed. */
function viewOf<T extends TensorView>(tensor: T, from: number, to: number): T {
  const size = tensor.shape.slice(1).reduce((product, extent) => product * extent, 1);
  return { ...shaped(tensor, to - from), values: tensor.values.subarray(from * size, to * size) };
}
