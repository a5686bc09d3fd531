/** What waits for a block in its mailbox. */
import type { Activation, Gradient, Header } from "../../messages/index.ts";
import type { GapCause } from "../../runtime/stream/index.ts";

export interface BatchMail {
  readonly kind: "batch";
  readonly activation: Activation;
  readonly receivedBytes: number;
}

/** In the place of batches that will not come. */
export interface PassedMail {
  readonly kind: "batch";
  /** Of the last of them; its step is 0 where it is not known. */
  readonly passed: Header;
  readonly cause: GapCause;
}

export interface GradientMail {
  readonly kind: "gradient";
  readonly gradient: Gradient;
  readonly receivedBytes: number;
}

/** The gradient of the batch that is waited for will not come: the next block had it before our own restart. */
export interface GiveUpMail {
  readonly kind: "give-up";
  readonly sequence: number;
}

export type BlockMail = BatchMail | PassedMail | GradientMail | GiveUpMail;

/** A gradient computed from anything but the true one is bootstrapped (Jaderberg et al. 2016, section 2.1). */
export function passedOn(origin: Gradient["origin"] | undefined): Gradient["origin"] {
  return origin === "true" ? "true" : "bootstrapped";
}
