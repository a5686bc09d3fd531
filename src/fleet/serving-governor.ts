/**
 * Lets training on this machine yield while requests for inference wait: between two calls of a compute worker, for as long
 * as gateways say so, and never for so long that training stands still.
 */
import type { ComputeWorker } from "../compute/index.ts";
import type { StartWorker } from "../jobs/compute-site.ts";
import { decodeServingPressure, pressureSubject } from "../messages/index.ts";
import type { Bus } from "../runtime/bus/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Logger } from "../runtime/telemetry/index.ts";

export interface ServingGovernor extends Disposable {
  /** Pauses so far. */
  readonly yields: number;
  /** Resolves when a call may begin: at once while nothing waits. */
  turn(): Promise<void>;
}

export interface ServingGovernorDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A notice holds for so long, ms: gateways repeat it every 50 ms. */
const HOLD_MS = 120;
/** Longest pause of one call, ms: training goes on, slowly, beside a server that is overloaded for good. */
const MAX_PAUSE_MS = 250;
/** Between two looks, ms. */
const LOOK_MS = 10;

/** @param host name of this machine, as gateways and replicas on it have it */
export function createServingGovernor(host: string, { bus, clock, log }: ServingGovernorDeps): ServingGovernor {
  let untilMs = -Infinity;
  let yields = 0;
  const subscription = bus.subscribe(pressureSubject("*"), ({ data, subject }) => {
    try {
      if (decodeServingPressure(data).hosts.includes(host)) untilMs = clock.now() + HOLD_MS;
    } catch (error) {
      log.warn({ err: error, subject }, "notice refused");
    }
  });
  return {
    get yields() {
      return yields;
    },
    async turn() {
      const startMs = clock.now();
      if (startMs >= untilMs) return;
      yields += 1;
      while (clock.now() < untilMs && clock.now() - startMs < MAX_PAUSE_MS) await clock.sleep(LOOK_MS);
    },
    [Symbol.dispose]() {
      subscription.unsubscribe();
    },
  };
}

/** Compute workers whose calls take their turn. */
export function governed(startWorker: StartWorker, governor: ServingGovernor): StartWorker {
  return async (options) => {
    const worker = await startWorker(options);
    const call = (async (...args: Parameters<ComputeWorker["call"]>) => {
      await governor.turn();
      return worker.call(...args);
    }) as ComputeWorker["call"];
    return {
      backend: worker.backend,
      closed: worker.closed,
      call,
      close: () => worker.close(),
      [Symbol.asyncDispose]: () => worker.close(),
    };
  };
}
