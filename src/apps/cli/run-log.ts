/** The log of a run: pino, one JSON line each, into the run's folder. */
import { destination as openDestination, type Logger as PinoLogger, pino } from "pino";
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface RunLog extends AsyncDisposable {
  readonly log: Logger;
}

/** @param path undefined: stdout */
export function openRunLog(path: string | undefined, run: string): RunLog {
  const destination = openDestination(
    path === undefined ? { dest: 1, sync: true } : { dest: path, mkdir: true, sync: true },
  );
  const log: PinoLogger = pino({ level: "info", base: { run } }, destination);
  return {
    log,
    [Symbol.asyncDispose]() {
      if (path !== undefined) destination.end();
      return Promise.resolve();
    },
  };
}
