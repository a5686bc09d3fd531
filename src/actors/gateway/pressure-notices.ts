/** Tells the processes that train on the machines of the replicas that requests wait too long: they yield for a moment. */
import { encodeServingPressure, pressureSubject } from "../../messages/index.ts";
import type { Bus } from "../../runtime/bus/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ReplicaTable } from "./replica-table.ts";

export interface PressureNoticesOptions {
  readonly model: string;
  /** Time in the queue that is not too long, ms. */
  readonly targetMs: number;
  /** Name of the gateway's machine. */
  readonly host: string;
}

export interface PressureNoticesDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly table: ReplicaTable;
}

/** Time between two notices, ms: shorter than they hold for (src/fleet/serving-governor.ts). */
export const NOTICE_EVERY_MS = 50;

/** @returns to be called with the time that a request has waited, ms, when it is dispatched */
export function createPressureNotices(
  { model, targetMs, host }: PressureNoticesOptions,
  { bus, clock, log, table }: PressureNoticesDeps,
): (queueMs: number) => void {
  let lastMs = -Infinity;
  return (queueMs) => {
    const nowMs = clock.now();
    if (queueMs <= targetMs || nowMs - lastMs < NOTICE_EVERY_MS) return;
    lastMs = nowMs;
    const hosts = [...new Set([host, ...table.replicas.map((each) => each.host)])];
    try {
      bus.publish(pressureSubject(model), encodeServingPressure({ model, queueMs, targetMs, hosts }));
    } catch (error) {
      log.debug({ err: error }, "notice of pressure not published");
    }
  };
}
