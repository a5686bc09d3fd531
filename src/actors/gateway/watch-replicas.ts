/**
 * Keeps a gateway's table of replicas true: by what they announce, by their silence, and by batches that do not come back.
 * A batch that is late has its replicas probed; one that is overdue is sent again through others, as a replica may answer
 * for itself while its compute worker hangs.
 */
import { isKnowledgeNetError } from "../../errors/index.ts";
import type { Event } from "../../messages/index.ts";
import type { ControlChannel } from "../../runtime/actor/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { BatchTimes } from "./batch-times.ts";
import type { BatchUnderWay, GatewayBatches } from "./gateway-batches.ts";
import type { GatewayReleases } from "./gateway-releases.ts";
import type { BatchContent } from "./batch-content.ts";
import type { BatchOutcomes } from "./batch-outcomes.ts";
import type { ReplicaTable } from "./replica-table.ts";

export interface WatchReplicasDeps {
  readonly channel: Pick<ControlChannel, "order">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ReplicaTable;
  readonly times: BatchTimes;
  readonly batches: GatewayBatches<BatchContent>;
  readonly releases: Pick<GatewayReleases, "reconcile" | "judgeAll">;
  readonly onLost: BatchOutcomes["onLost"];
}

export interface ReplicaWatch {
  /** A fact of any actor of the run. */
  onEvent(event: Event): void;
  /** Looks at them regularly until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** Time between two looks, ms. */
const LOOK_EVERY_MS = 250;
/** A batch is late after so many times its usual duration, and after so long at least, ms: then its replicas are probed. */
const LATE_FACTOR = 3;
const LATE_MS = 100;
/** It is overdue after so many times its usual duration, and after so long at least, ms: then it is sent elsewhere, */
const OVERDUE_FACTOR = 10;
const OVERDUE_MS = 1_000;
/** and its replicas get no other one for so long, ms, where there are others. */
const AVOIDED_MS = 5_000;
/** A replica that does not answer a probe for so long is lost, ms. */
const PROBE_TIMEOUT_MS = 1_000;
/** A replica without a state for so long is lost, ms: three announcements, and half of one for delays. */
const MAX_SILENCE_MS = 3_500;

export function watchReplicas(deps: WatchReplicasDeps): ReplicaWatch {
  const { channel, clock, log, table, times, batches, releases, onLost } = deps;
  const probing = new Set<string>();
  let ending: AbortSignal | undefined;

  const lose = (replica: string, why: string): void => {
    log.warn({ replica, why }, "replica lost");
    table.lose(replica);
    onLost(({ route }) => route.includes(replica), `${replica} ${why}`);
    releases.reconcile();
  };

  /** No answer: the process has ended, or hangs. */
  const probe = async (replica: string): Promise<void> => {
    if (probing.has(replica)) return;
    probing.add(replica);
    const startedMs = clock.now();
    const signal = ending === undefined ? {} : { signal: ending };
    try {
      await channel.order(replica, { kind: "ReportState" }, { timeoutMs: PROBE_TIMEOUT_MS, ...signal });
    } catch (error) {
      // One that was lost with the connection ends after the replica has been heard again.
      const isSilent = table.isSilentSince(replica, startedMs);
      const isTold = isSilent && !table.isSuspended;
      if (isKnowledgeNetError(error, "KN_UNAVAILABLE") && isTold && ending?.aborted !== true)
        lose(replica, "does not answer");
    } finally {
      probing.delete(replica);
    }
  };

  const isOlder = ({ sentMs, samples }: BatchUnderWay<unknown>, leastMs: number, factor: number): boolean =>
    clock.now() - sentMs > Math.max(leastMs, factor * times.latencyMs(samples));
  /** Nowhere any more: each of its replicas has said since that it has no batch. Or others may compute it sooner. */
  const isOverdue = (batch: BatchUnderWay<unknown>): boolean =>
    isOlder(batch, OVERDUE_MS, OVERDUE_FACTOR) &&
    (table.lanes(batch.release) > 1 || batch.route.every((replica) => table.isIdleSince(replica, batch.sentMs)));

  const look = (): void => {
    for (const replica of table.silent(clock.now(), MAX_SILENCE_MS)) lose(replica, "is silent");
    if (!table.isSuspended) lookAtBatches();
    releases.reconcile();
    releases.judgeAll();
  };

  const lookAtBatches = (): void => {
    const late = batches.filter((batch) => isOlder(batch, LATE_MS, LATE_FACTOR));
    const overdue = new Set(late.filter(isOverdue));
    for (const { route } of overdue) for (const replica of route) table.avoid(replica, clock.now() + AVOIDED_MS);
    if (overdue.size > 0) onLost((batch) => overdue.has(batch), "a replica did not answer");
    for (const replica of new Set(late.flatMap(({ route }) => route))) void probe(replica);
  };

  return {
    onEvent({ header: { sender }, fact }) {
      if (fact.kind === "StateEntered" && table.has(sender)) {
        if (fact.state === "draining") table.retire(sender);
        if (fact.state === "closing" || fact.state === "left" || fact.state === "failed") lose(sender, "has ended");
        releases.reconcile();
      }
      if (fact.kind !== "ReplicaState") return;
      if (!table.observe(sender, fact, clock.now()))
        onLost(({ route }) => route.includes(sender), `${sender} is another process`);
      releases.reconcile();
    },
    async run(signal) {
      ending = signal;
      while (!signal.aborted) {
        look();
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      }
    },
  };
}
