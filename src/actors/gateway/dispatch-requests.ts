/**
 * Makes batches of the requests that wait and sends them. Work-conserving: a batch is what waited while the ones before were
 * computed, and nothing waits while a replica has a credit.
 */
import { isKnowledgeNetError, KnowledgeNetError } from "../../errors/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { type BatchContent, isBulk } from "./batch-content.ts";
import type { BatchTimes } from "./batch-times.ts";
import type { BulkPace } from "./bulk-pace.ts";
import type { GatewayBatches } from "./gateway-batches.ts";
import type { GatewayActorOptions } from "./gateway-options.ts";
import type { GatewayReleases, KnownRelease } from "./gateway-releases.ts";
import { isAllFinite, joinInputs } from "./join-inputs.ts";
import type { OpenRequest, OpenRequests } from "./open-requests.ts";
import type { RefusalCause } from "./refusals.ts";
import type { ReplicaTable } from "./replica-table.ts";
import type { RequestQueue } from "./request-queue.ts";

export type DispatchOptions = Pick<GatewayActorOptions, "maxBatch" | "maxBulkBatch"> & { readonly model: string };

export interface DispatchDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ReplicaTable;
  readonly times: BatchTimes;
  readonly bulkPace: BulkPace;
  readonly releases: GatewayReleases;
  readonly batches: GatewayBatches<BatchContent>;
  readonly queue: RequestQueue<OpenRequest>;
  readonly requests: OpenRequests;
  /** A batch was sent; its oldest request had waited so long, ms. */
  readonly onDispatched: (queueMs: number) => void;
}

/** @returns what sends all batches that can be sent now */
export function createDispatch({ model, maxBatch, maxBulkBatch }: DispatchOptions, deps: DispatchDeps): () => void {
  const { clock, log, table, times, bulkPace, releases, batches, queue, requests, onDispatched } = deps;

  /** The most samples with which a batch still answers a request in time. */
  const roomFor = ({ deadlineMs, priority, samples }: OpenRequest, nowMs: number): number => {
    let room = priority === "bulk" ? Math.max(samples, maxBulkBatch) : maxBatch;
    // Smaller batches take longer for each sample: for a queue that is too long already they are no remedy.
    if (queue.samples[priority] > room) return room;
    const remainingMs = deadlineMs - nowMs;
    while (room > samples && times.latencyMs(room) > remainingMs) room = Math.max(samples, Math.floor(room / 2));
    return room;
  };

  /** Sends a batch of `release` that begins with `head`. @returns false: it waits for a credit */
  const begin = (head: OpenRequest, { release, sampleShape }: KnownRelease, nowMs: number): boolean => {
    // An interactive request that comes now waits for one bulk batch at most.
    if (head.priority === "bulk" && batches.filter(isBulk).length >= Math.max(1, table.lanes(release))) return false;
    const route = table.route(release, nowMs);
    if (route === undefined) return false;
    const taken = queue.take(
      roomFor(head, nowMs),
      (each) =>
        each.sampleShape === sampleShape &&
        each.wantsActivations === head.wantsActivations &&
        each.deadlineMs > nowMs &&
        releases.resolve(each.assignment)?.release === release,
    );
    send(taken, release, route);
    return true;
  };

  /** @returns whether a batch was sent, or a request settled */
  const dispatch = (): boolean => {
    const head = queue.head();
    if (head === undefined) return false;
    const nowMs = clock.now();
    const served = releases.resolve(head.assignment);
    if (head.deadlineMs <= nowMs) return drop(head, "expired"); // its timer is about to say so
    if (served !== undefined && head.sampleShape !== served.sampleShape) return drop(head, "invalid", served);
    if (served !== undefined && begin(head, served, nowMs)) return true;
    // One that is wanted waits: a replica may be on its way back.
    if (served === undefined && typeof head.assignment === "number" && !releases.isWanted(head.assignment))
      return drop(head, "unavailable");
    return dispatchOther(served?.release, nowMs);
  };

  /** The head waits: requests of another release do not, where a replica has a credit for them. */
  const dispatchOther = (release: number | undefined, nowMs: number): boolean => {
    for (const other of releases.usable) {
      if (other.release === release || table.route(other.release, nowMs) === undefined) continue;
      const head = queue.head(
        ({ assignment, sampleShape, deadlineMs }) =>
          sampleShape === other.sampleShape &&
          deadlineMs > nowMs &&
          releases.resolve(assignment)?.release === other.release,
      );
      if (head !== undefined && begin(head, other, nowMs)) return true;
    }
    return false;
  };

  const drop = (request: OpenRequest, cause: RefusalCause, served?: KnownRelease): true => {
    queue.remove(request);
    const expected = served === undefined ? undefined : wrongShape(model, request, served);
    requests.refuse(request, cause, expected === undefined ? {} : { error: expected });
    return true;
  };

  const send = (taken: readonly OpenRequest[], release: number, route: readonly string[]): void => {
    const tensor = joinInputs(taken.map(({ input }) => input));
    const nowMs = clock.now();
    const shadowed = release === releases.live?.release ? releases.nextShadow() : undefined;
    const shadow = shadowed === undefined ? undefined : { release: shadowed, input: tensor };
    let deadlineMs = nowMs;
    for (const each of taken) deadlineMs = Math.max(deadlineMs, each.deadlineMs);
    try {
      const content = { kind: "requests", requests: taken, shadow } as const;
      const wantsActivations = taken[0]?.wantsActivations ?? false;
      batches.send(content, { release, route, tensor, remainingMs: deadlineMs - nowMs, wantsActivations });
    } catch (error) {
      onUnsent(taken, release, error);
      return;
    }
    if (taken[0]?.priority === "bulk") bulkPace.note(nowMs, tensor.shape[0] ?? 0, queue.samples.bulk > 0);
    let queueMs = 0;
    for (const each of taken) {
      queueMs = Math.max(queueMs, nowMs - each.arrivedMs);
      each.sentMs = nowMs;
      each.sends += 1;
    }
    onDispatched(queueMs);
  };

  const onUnsent = (taken: readonly OpenRequest[], release: number, error: unknown): void => {
    log.warn({ err: error, release }, "batch not sent");
    // The fault of one input is not its neighbours'.
    const unsound = taken.filter(({ input }) => !isAllFinite(input));
    for (const each of unsound) requests.refuse(each, "invalid", isKnowledgeNetError(error) ? { error } : {});
    if (unsound.length > 0) queue.putBack(taken.filter((each) => !unsound.includes(each)));
    else for (const each of taken) requests.refuse(each, "unavailable", isKnowledgeNetError(error) ? { error } : {});
  };

  let isPumping = false;
  return () => {
    if (isPumping) return; // an outcome may lead to another request at once
    isPumping = true;
    try {
      while (dispatch());
    } finally {
      isPumping = false;
    }
  };
}

/** Of a request that was admitted before a release of another network became the live one. */
function wrongShape(model: string, { input }: OpenRequest, { release, manifest }: KnownRelease): KnowledgeNetError {
  return new KnowledgeNetError("KN_SHAPE", {
    attempt: `infer with ${model}`,
    rule: `the input of release ${release}, which became live, has the shape [n, ${manifest.network.input.join(", ")}]`,
    value: `[${input.shape.join(", ")}]`,
    remedy: "name the release that it is for",
  });
}
