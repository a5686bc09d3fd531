import type { Model } from "../../models/index.ts";
import type { ActorDeps, StreamActorOptions } from "../link/index.ts";
import type { Priority } from "./inference.ts";

export interface GatewayActorOptions extends StreamActorOptions {
  /** Largest number of samples in one batch, and in one request, 1 to 256. */
  readonly maxBatch: number;
  /** Latency that admission keeps: a request that would wait beyond it is refused, ms. */
  readonly targetMs: number;
  /** Time limit of a request that names none, and the longest that one may name, ms. */
  readonly timeoutMs: number;
  readonly maxTimeoutMs: number;
  /** Samples of one priority that may wait. */
  readonly maxWaitingSamples: number;
  /** Time in the queue beyond which training on the same machines is asked to yield, ms. */
  readonly queueTargetMs: number;
  /** Name of its machine. */
  readonly host: string;
  /** Samples in one batch of bulk requests: an interactive one waits for at most one of them. */
  readonly maxBulkBatch: number;
  /** Whose inputs observers get: nobody's, those of requests that ask for it, or all. Inputs are users' data. @default "none" */
  readonly observe?: ObservedRequests;
}

export const OBSERVED_REQUESTS = ["none", "asked", "all"] as const;
export type ObservedRequests = (typeof OBSERVED_REQUESTS)[number];

/** One request's end, for metrics. */
export interface RequestSample {
  readonly release: number | undefined;
  readonly priority: Priority;
  /** "answer", or the cause: "expired", "overloaded", "cancelled", "non-finite", "unavailable", "invalid", "failed". */
  readonly outcome: string;
  readonly samples: number;
  readonly queueMs: number;
  /** From dispatch to result; 0 when it was not dispatched. */
  readonly computeMs: number;
}

export interface BatchSample {
  readonly release: number;
  readonly samples: number;
  /** From dispatch to result. */
  readonly totalMs: number;
  /** Of each slice. */
  readonly computeMs: readonly number[];
  /** Encoding and sending of the batch. */
  readonly encodeMs: number;
}

export interface GatewayObserver {
  onRequest(sample: RequestSample): void;
  onBatch(sample: BatchSample): void;
}

export interface GatewayActorDeps extends ActorDeps {
  readonly model: Model;
  readonly observer?: GatewayObserver;
}
