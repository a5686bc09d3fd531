/** Messages that wait for a block in its mailbox. */
import type { Activation, Gradient, Header } from "../../messages/index.ts";
import type { GapCause } from "../../runtime/stream/index.ts";

export interface BatchMessage {
  readonly kind: "batch";
  readonly activation: Activation;
  readonly receivedBytes: number;
}

/** Takes the place of batches that will not arrive. */
export interface GapMessage {
  readonly kind: "batch";
  /** Header of the last of them; its step is 0 where it is not known. */
  readonly end: Header;
  readonly cause: GapCause;
}

export interface GradientMessage {
  readonly kind: "gradient";
  readonly gradient: Gradient;
  readonly receivedBytes: number;
}

/** The awaited gradient will not arrive: the next block consumed the batch before a restart of this one. */
export interface AbandonMessage {
  readonly kind: "abandon";
  readonly sequence: number;
}

export type BlockMessage = BatchMessage | GapMessage | GradientMessage | AbandonMessage;

/** A gradient computed from anything but the true one is bootstrapped (Jaderberg et al. 2016, section 2.1). */
export function passedOn(origin: Gradient["origin"] | undefined): Gradient["origin"] {
  return origin === "true" ? "true" : "bootstrapped";
}
