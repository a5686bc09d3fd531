/**
 * Serves one model until it is told to leave: a gateway with its front ends, and the replicas that belong to it.
 *
 * Leaving in this order loses no request: `ready` fails, balancers turn away, and answers end their connections; the
 * endpoint on the bus is taken away and what came is answered; HTTP closes the connections that are left; the gateway answers
 * what it has; the replicas leave.
 */
import type { BackendPreference } from "../../compute/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import { createServingGateway } from "../../jobs/kinds/serving/serving-actors.ts";
import { abortOf } from "../../fleet/abort.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Model, ModelStore } from "../../models/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ServingSpec } from "../../run-spec/index.ts";
import type { Redact } from "./load-redaction.ts";
import { startObserver } from "./run-observer.ts";
import { ownIndex } from "./run-replica.ts";
import type { ServingFront } from "./serving-front.ts";
import type { ServingMetrics } from "./serving-metrics.ts";
import { type Part, type ReplicaPlace, startReplicas } from "./start-replicas.ts";

export interface ServeModelOptions {
  readonly run: string;
  readonly spec: ServingSpec;
  readonly backend: BackendPreference;
  readonly softwareVersion: string;
  /** Name of the machine. */
  readonly host: string;
  readonly replicas: ReplicaPlace;
  /** Other processes reach the bus: names must differ from theirs. */
  readonly isShared: boolean;
  /** How long `ready` fails before anything is taken away, ms. */
  readonly noticeMs: number;
  /** How long requests under way may take when it leaves, ms. */
  readonly graceMs: number;
}

export interface ServeModelDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly model: Model;
  /** For replicas on the nodes. */
  readonly fleet?: Fleet | undefined;
  /** HTTP, which listens already; it is closed with the rest. */
  readonly front: ServingFront;
  readonly metrics: ServingMetrics;
  /** Where observations go, with `spec.observe`. */
  readonly observations: Pick<ModelStore, "use">;
  /** What is uploaded in place of an input. */
  readonly redact?: Redact | undefined;
  /** Receives lines for the operator. */
  readonly say: (line: string) => void;
  /** Starts what makes a learner's updates live; absent: nothing does. */
  readonly follow?: (() => Promise<Part>) | undefined;
}

/** Resolves when it has left after `signal`. Rejects with what ended it otherwise. */
export async function serveModel(options: ServeModelOptions, deps: ServeModelDeps, signal: AbortSignal): Promise<void> {
  const { spec, isShared, noticeMs, graceMs } = options;
  const { clock, log, model, front, metrics, say } = deps;
  const own: Part[] = [];
  await using _replicas = finallyDo(() => Promise.all(own.map((each) => each[Symbol.asyncDispose]())));
  const index = isShared ? ownIndex() : 0;
  await using _observer = await observerOf(options, index, deps);
  const gateway = createServingGateway(
    { ...options, metadata: {} },
    { index, fence: 0 },
    { ...deps, observer: metrics.observer },
  );
  await gateway.start();
  await using _gateway = finallyDo(() => gateway.stop());
  metrics.show(
    () => [gateway.model],
    () => gateway.waiting,
  );
  metrics.showReplicas(() => deps.bus.services);
  if (spec.observe !== undefined) metrics.showObserving(() => deps.bus.services);
  metrics.showUpdater(() => deps.bus.services);
  await using _http = finallyDo(() => front.close({ noticeMs, graceMs }));
  await using _bus = finallyDo(() => gateway.leaveBus());
  await using _notice = finallyDo(() => {
    // Connections end with their next answers meanwhile: few are left to be closed while a request is on its way.
    void front.close({ noticeMs, graceMs });
    return clock.sleep(noticeMs);
  });
  front.serve(gateway.model);
  say(
    `${model.name} at http://${front.address}/v2/models/${model.name}${isShared ? ` and kn.v1.infer.${model.name}` : ""}`,
  );
  // Before the replicas, which may wait for the first release that is live.
  await using updater = await deps.follow?.();
  // Without it the model is served on as it is.
  void updater?.ended.then((error) => {
    if (error !== undefined) log.error({ err: error }, "updates are not followed any more: start it again");
  });

  const replicas = await startReplicas({ ...options, metadata: {} }, deps, signal);
  if (replicas === undefined) return;
  own.push(...replicas);
  const ended = [gateway, ...replicas].map((each) => unlessWell(each.ended));
  const outcome = await Promise.race([abortOf(signal), ...ended]);
  if (outcome instanceof Error) throw outcome;
  say(`${model.name}: leaving`);
}

/** Before the gateway, which sends to it, and after it. */
async function observerOf(
  { run, spec, softwareVersion }: ServeModelOptions,
  index: number,
  deps: ServeModelDeps,
): Promise<AsyncDisposable> {
  const { observe } = spec;
  if (observe === undefined) return finallyDo(() => Promise.resolve());
  const { model, observations, say } = deps;
  const observer = await startObserver(
    { run, index, observe, softwareVersion, metadata: {} },
    { ...deps, store: observations },
  );
  const which = observe.requests === "all" ? "inputs are" : "inputs of requests that ask for it are";
  say(`${model.name}: ${which} observed, at most ${observe.inputsPerMinute} in any minute`);
  return observer;
}

function finallyDo(work: () => Promise<unknown>): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await work();
    },
  };
}

/** The end of a part that ought to run: an error in any case. */
async function unlessWell(ended: Promise<void | Error>): Promise<Error> {
  const outcome = await ended;
  return outcome instanceof Error
    ? outcome
    : new KnowledgeNetError("KN_INVARIANT", { attempt: "serve", rule: "its actors must run until it leaves" });
}
