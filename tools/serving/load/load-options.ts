/** What is sent. Plain data: it goes to the generator's process as it is. */

export type LoadTarget =
  /**
   * @param url "http://127.0.0.1:8080"
   * @param encoding of tensors: JSON for servers without binary ones. @default "binary"
   */
  | { readonly kind: "http"; readonly url: string; readonly model: string; readonly encoding?: "binary" | "json" }
  /** @param url "nats://127.0.0.1:4222" */
  | { readonly kind: "nats"; readonly url: string; readonly model: string };

/** The pool of samples: request after request takes the next ones. */
export interface LoadImages {
  /** Of one sample. */
  readonly shape: readonly number[];
  /** Row-major [samples, ...shape], FP32 or UINT8 on the wire. */
  readonly values: Float32Array | Uint8Array;
}

/** Requests of one kind of client. */
export interface LoadStream {
  /** Also the name by which the server knows the client. */
  readonly name: string;
  /**
   * Infinity: as fast as answers come, `LoadOptions.maxInFlight` at once. For a server's capacity only: a closed loop hides
   * its stalls.
   */
  readonly ratePerSecond: number;
  /** @default "interactive" */
  readonly priority?: "interactive" | "bulk";
  /** Samples of each request. @default 1 */
  readonly samples?: number;
  /** Until the answer is of no use, ms. @default 1000 */
  readonly timeoutMs?: number;
  /** Release that is asked for. @default the live one */
  readonly release?: number;
  /** When it begins and ends, ms from the start of the load. @default 0 and the end */
  readonly fromMs?: number;
  readonly untilMs?: number;
}

export interface LoadOptions {
  readonly target: LoadTarget;
  readonly images: LoadImages;
  readonly streams: readonly LoadStream[];
  /** Of the arrivals. */
  readonly seed: number;
  /** Warm-up included, ms. */
  readonly durationMs: number;
  /** Requests of this time count as outcomes, not as latencies, ms. @default 0 */
  readonly warmUpMs?: number;
  /**
   * Requests in flight at once; more wait in the generator, and their wait counts. @default 256
   */
  readonly maxInFlight?: number;
}

/** Names of the two sides of the generator's pipe. */
export type ToGenerator = { readonly kind: "start"; readonly options: LoadOptions } | { readonly kind: "stop" };

export const DEFAULT_TIMEOUT_MS = 1_000;
export const DEFAULT_IN_FLIGHT = 256;
