/** The port of the generator to a served model: HTTP, NATS, or a test's. */
import type { LoadStream } from "./load-options.ts";
import type { Outcome } from "./outcome.ts";

export interface WireRequest {
  readonly stream: LoadStream;
  /** Index of its first sample in the pool; the others follow, from the pool's start again at its end. */
  readonly image: number;
}

export type WireAnswer =
  | {
      readonly kind: "logits";
      readonly release: number;
      /** Samples that were computed together. */
      readonly batch: number;
      /** [samples, classes]; borrowed until the callback returns. */
      readonly logits: Float32Array;
    }
  | { readonly kind: "failure"; readonly outcome: Outcome; readonly text: string };

export interface Wire {
  /**
   * Sends without waiting. Called for as many requests at once as `LoadOptions.maxInFlight` says.
   * @param then called once, later. @returns the function that gives up: `then` is not called any more
   */
  send(request: WireRequest, then: (answer: WireAnswer) => void): () => void;
  close(): Promise<void>;
}
