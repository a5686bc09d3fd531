/** The terminal as a port: the CLI's only way to argv's neighbours stdout, stderr and signals. */
export interface Terminal {
  /** True when stdout is a terminal that can be redrawn. */
  readonly isInteractive: boolean;
  /** A line for stdout. */
  readonly write: (line: string) => void;
  /** A line for stderr. */
  readonly note: (line: string) => void;
  /** Calls `listener` on SIGINT and SIGTERM instead of ending. @returns what puts the default back. */
  readonly onSignal: (listener: (signal: "SIGINT" | "SIGTERM") => void) => () => void;
  readonly exit: (code: number) => void;
}

export function processTerminal(): Terminal {
  return {
    isInteractive: process.stdout.isTTY,
    write: (line) => {
      process.stdout.write(`${line}\n`);
    },
    note: (line) => {
      process.stderr.write(`${line}\n`);
    },
    onSignal(listener) {
      const onInterrupt = (): void => {
        listener("SIGINT");
      };
      const onTerminate = (): void => {
        listener("SIGTERM");
      };
      process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
      return () => {
        process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
      };
    },
    exit: (code) => {
      process.exit(code);
    },
  };
}
