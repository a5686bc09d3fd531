/**
 * The requests of a gateway that have no outcome yet. Each ends once: by an answer, by a refusal, by its deadline or by its
 * client, and is counted then.
 */
import type { KnowledgeNetError } from "../../errors/index.ts";
import type { TensorView } from "../../messages/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { GatewayObserver } from "./gateway-options.ts";
import type { Assignment } from "./gateway-releases.ts";
import type { InferenceAnswer, InferenceOutcome, InferenceRequest } from "./inference.ts";
import { sampleShapeOf } from "./join-inputs.ts";
import { refusalOf, type RefusalCause } from "./refusals.ts";
import type { Waiting } from "./request-queue.ts";

/** A request on its way to an outcome. */
export interface OpenRequest extends Waiting {
  readonly input: TensorView;
  /** Shape of one sample, as text. */
  readonly sampleShape: string;
  readonly assignment: Assignment;
  readonly arrivedMs: number;
  readonly deadlineMs: number;
  /** When it was sent last; undefined: not yet. */
  sentMs: number | undefined;
  /** Observers get its input. */
  readonly isObserved: boolean;
  readonly wantsActivations: boolean;
  /** How often it was sent. */
  sends: number;
  isSettled: boolean;
  /** Ends it. */
  readonly settle: (outcome: InferenceOutcome) => void;
}

export interface RefusalParts {
  readonly error?: KnowledgeNetError;
  /** Release that it failed with. */
  readonly release?: number;
  readonly retryAfterMs?: number;
}

export interface OpenRequestsDeps {
  readonly model: string;
  readonly clock: Clock;
  readonly observer: GatewayObserver;
  /** Its deadline is over, or its client has gone. */
  readonly onLeft: (request: OpenRequest) => void;
}

export interface OpenRequests {
  readonly count: number;
  /** Outcomes so far, by cause. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** @param begin receives it; it may be settled at once */
  open(
    request: InferenceRequest,
    options: { readonly limitMs: number; readonly assignment: Assignment; readonly isObserved: boolean },
    begin: (request: OpenRequest) => void,
  ): Promise<InferenceOutcome>;
  answer(
    request: OpenRequest,
    outputs: Pick<InferenceAnswer, "logits" | "activations">,
    batch: { readonly release: number; readonly samples: number },
  ): void;
  /** One that is settled stays as it is. */
  refuse(request: OpenRequest, cause: RefusalCause, parts?: RefusalParts): void;
  /** Counts a request that was refused before it was open. */
  noteRefused(request: Partial<InferenceRequest>, cause: RefusalCause): void;
  refuseAll(cause: RefusalCause, detail: string): void;
  /** Resolves when there are none. */
  whenIdle(): Promise<void>;
}

export function createOpenRequests({ model, clock, observer, onLeft }: OpenRequestsDeps): OpenRequests {
  const all = new Set<OpenRequest>();
  const outcomes: Record<string, number> = {};
  const idleWatchers = new Set<() => void>();

  const note = (
    { samples, priority, arrivedMs, sentMs }: Pick<OpenRequest, "samples" | "priority" | "arrivedMs" | "sentMs">,
    outcome: RefusalCause | "answer",
    release: number | undefined,
  ): void => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const nowMs = clock.now();
    const queueMs = (sentMs ?? nowMs) - arrivedMs;
    const computeMs = sentMs === undefined ? 0 : nowMs - sentMs;
    observer.onRequest({ release, priority, outcome, samples, queueMs, computeMs });
  };

  const refuse: OpenRequests["refuse"] = (request, cause, { error, release, retryAfterMs } = {}) => {
    if (request.isSettled) return;
    note(request, cause, release);
    const timeoutMs = request.deadlineMs - request.arrivedMs;
    request.settle({
      kind: "refusal",
      error: error ?? refusalOf(cause, { model, timeoutMs }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  };

  return {
    get count() {
      return all.size;
    },
    outcomes,
    open: (asked, { limitMs, assignment, isObserved }, begin) =>
      new Promise((resolve, reject) => {
        const { input, client = "", priority = "interactive", wantsActivations = false, signal } = asked;
        const nowMs = clock.now();
        const end = (): void => {
          request.isSettled = true;
          all.delete(request);
          clock.clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          if (all.size > 0) return;
          for (const watcher of idleWatchers) watcher();
          idleWatchers.clear();
        };
        const onAbort = (): void => {
          note(request, "cancelled", undefined);
          end();
          onLeft(request);
          reject(signal?.reason as Error);
        };
        const request: OpenRequest = {
          input,
          sampleShape: sampleShapeOf(input),
          samples: input.shape[0] ?? 0,
          client,
          priority,
          assignment,
          isObserved,
          wantsActivations,
          arrivedMs: nowMs,
          deadlineMs: nowMs + limitMs,
          sentMs: undefined,
          sends: 0,
          isSettled: false,
          settle(outcome) {
            end();
            resolve(outcome);
          },
        };
        all.add(request);
        signal?.addEventListener("abort", onAbort, { once: true });
        const timer = clock.setTimeout(() => {
          refuse(request, "expired");
          onLeft(request);
        }, limitMs);
        begin(request);
      }),
    answer(request, outputs, { release, samples }) {
      const { arrivedMs, sentMs = arrivedMs } = request;
      note(request, "answer", release);
      request.settle({
        kind: "answer",
        release,
        ...outputs,
        batch: samples,
        queueMs: sentMs - arrivedMs,
        computeMs: clock.now() - sentMs,
      });
    },
    refuse,
    noteRefused({ input, priority = "interactive", release }, cause) {
      const samples = input?.shape[0] ?? 0;
      note({ samples, priority, arrivedMs: clock.now(), sentMs: undefined }, cause, release);
    },
    refuseAll(cause, detail) {
      for (const request of [...all]) {
        const timeoutMs = request.deadlineMs - request.arrivedMs;
        refuse(request, cause, { error: refusalOf(cause, { model, timeoutMs, detail }) });
      }
    },
    whenIdle() {
      if (all.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        idleWatchers.add(resolve);
      });
    },
  };
}
