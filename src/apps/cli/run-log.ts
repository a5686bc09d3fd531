/** The log of a run: pino, one JSON line each, into the run's folder. */
import { destination as openDestination, type Logger as PinoLogger, pino } from "pino";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { redactCredentials } from "../connect/bus-address.ts";

export interface RunLog extends AsyncDisposable {
  readonly log: Logger;
}

/**
 * A log that cannot be written does not end the process: its lines are lost, and `onLost` is called once.
 *
 * @param path undefined: stdout
 */
export function openRunLog(path: string | undefined, run: string, onLost: (error: Error) => void): RunLog {
  const destination = openDestination(
    path === undefined ? { dest: 1, sync: true } : { dest: path, mkdir: true, sync: true },
  );
  let isLost = false;
  destination.on("error", (error: Error) => {
    if (isLost) return;
    isLost = true;
    // The stream buffers lines that it could not write: every further line would make it grow.
    destination.write = () => true;
    onLost(error);
  });
  const log: PinoLogger = pino(
    { level: "info", base: { run }, hooks: { streamWrite: redactCredentials } },
    destination,
  );
  return {
    log,
    [Symbol.asyncDispose]() {
      if (path !== undefined && !isLost) destination.end();
      return Promise.resolve();
    },
  };
}

/** The same lines for a terminal, which has its own rules for what cannot be written. */
export function jsonLog(run: string, writeLine: (line: string) => void): Logger {
  const stream = {
    write(text: string) {
      writeLine(text.trimEnd());
    },
  };
  return pino({ level: "info", base: { run } }, stream);
}
