/** The work of a gateway: admits requests, makes batches of them, and gives each its outcome. */
import type { StageResult } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { admit } from "./admission.ts";
import type { BatchContent } from "./batch-content.ts";
import { type BatchOutcomes, createBatchOutcomes } from "./batch-outcomes.ts";
import type { BatchTimes } from "./batch-times.ts";
import { createBulkPace } from "./bulk-pace.ts";
import { createDispatch } from "./dispatch-requests.ts";
import type { GatewayBatches } from "./gateway-batches.ts";
import type { GatewayActorOptions, GatewayObserver } from "./gateway-options.ts";
import type { GatewayReleases } from "./gateway-releases.ts";
import type { LiveInputSender } from "./live-inputs.ts";
import type { InferenceOutcome, InferenceRefusal, InferenceRequest, Priority } from "./inference.ts";
import { createOpenRequests, type OpenRequest } from "./open-requests.ts";
import { refusalOf } from "./refusals.ts";
import type { ReplicaTable } from "./replica-table.ts";
import { createRequestQueue } from "./request-queue.ts";

export type GatewayWorkOptions = Pick<
  GatewayActorOptions,
  "maxBatch" | "maxBulkBatch" | "targetMs" | "timeoutMs" | "maxTimeoutMs" | "maxWaitingSamples" | "observe"
> & { readonly model: string };

export interface GatewayWorkDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ReplicaTable;
  readonly times: BatchTimes;
  readonly releases: GatewayReleases;
  readonly batches: GatewayBatches<BatchContent>;
  readonly observer: GatewayObserver;
  readonly liveInputs: LiveInputSender;
  /** A batch was sent; its oldest request had waited so long, ms. */
  readonly onDispatched: (queueMs: number) => void;
}

export interface GatewayWork {
  readonly waiting: Readonly<Record<Priority, number>>;
  /** Outcomes so far, by cause. */
  readonly outcomes: Readonly<Record<string, number>>;
  infer(request: InferenceRequest): Promise<InferenceOutcome>;
  refuseUnread(): InferenceRefusal;
  onResult(result: StageResult): void;
  readonly onLost: BatchOutcomes["onLost"];
  /** Something changed: a replica, a release. */
  pump(): void;
  /** Refuses what it has, and requests from now on. */
  close(): void;
  /** Resolves when every request has its outcome. */
  whenIdle(): Promise<void>;
}

/** When a client may come back whose request could not be read, ms. */
const RETRY_UNREAD_MS = 1_000;

export function createGatewayWork(options: GatewayWorkOptions, deps: GatewayWorkDeps): GatewayWork {
  const { model, maxBatch, timeoutMs, maxTimeoutMs, maxWaitingSamples, observe = "none" } = options;
  const { clock, log, table, times, releases, batches, observer, liveInputs, onDispatched } = deps;
  const queue = createRequestQueue<OpenRequest>({ maxSamples: maxWaitingSamples });
  const requests = createOpenRequests({ model, clock, observer, onLeft: (request) => queue.remove(request) });
  const common = { clock, log, table, releases, batches, queue, requests };
  const bulkPace = createBulkPace();
  const pump = createDispatch(options, { ...common, times, bulkPace, onDispatched });
  const { onResult, onLost } = createBatchOutcomes(options, { ...common, observer, liveInputs, pump });
  /** One for all: thousands a second, at a time when there is no time. */
  const unread: InferenceRefusal = {
    kind: "refusal",
    error: refusalOf("overloaded", { model, timeoutMs, detail: "more requests arrive than can be read" }),
    retryAfterMs: RETRY_UNREAD_MS,
  };
  let isClosed = false;

  const infer = (request: InferenceRequest): Promise<InferenceOutcome> => {
    const { client = "", priority = "interactive", signal, release } = request;
    const isObserved = request.observe ?? observe === "all";
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const limitMs = Math.min(request.timeoutMs ?? timeoutMs, maxTimeoutMs);
    const verdict = admit(request, {
      model,
      maxBatch,
      maxBulkBatch: options.maxBulkBatch,
      targetMs: options.targetMs,
      limitMs,
      isClosed,
      isObservable: observe !== "none",
      releases,
      table,
      times,
      bulkPace,
      samplesBefore: queue.samplesBefore(client, priority),
      underWay: batches,
    });
    if (verdict !== undefined) {
      requests.noteRefused(request, verdict.cause);
      return Promise.resolve({ kind: "refusal", ...verdict.refusal });
    }
    // The live release answers what is asked to be observed: a candidate's answers are not.
    const assignment = release ?? (request.observe === true ? "live" : releases.assign());
    return requests.open(request, { limitMs, assignment, isObserved }, (opened) => {
      const retryAfterMs = Math.max(1, Math.ceil(times.latencyMs(maxBatch)));
      for (const each of queue.push(opened)) requests.refuse(each, "overloaded", { retryAfterMs });
      pump();
    });
  };

  return {
    get waiting() {
      return queue.samples;
    },
    outcomes: requests.outcomes,
    infer,
    refuseUnread() {
      requests.noteRefused({}, "overloaded");
      return unread;
    },
    onResult,
    onLost,
    pump,
    close() {
      isClosed = true;
      queue.clear();
      batches.giveUp(() => true);
      requests.refuseAll("unavailable", "the gateway leaves");
    },
    whenIdle: () => requests.whenIdle(),
  };
}
