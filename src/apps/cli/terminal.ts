/**
 * The terminal as a port: the CLI's only access to stdout, stderr and signals. Neither a broken stdout nor a credential
 * in a line escapes it: lines are redacted, a closed reader counts as a signal, another write error is reported.
 */
import type { EventEmitter } from "node:events";
import type { Writable } from "node:stream";
import { redactCredentials } from "../connect/bus-address.ts";
import { EXIT_BY_SIGNAL, type EndSignal } from "./exit.ts";

export interface Terminal {
  /** True when stdout is a terminal that can be redrawn. */
  readonly isInteractive: boolean;
  /** A line for stdout. */
  readonly write: (line: string) => void;
  /** A line for stderr. */
  readonly note: (line: string) => void;
  /**
   * Calls `listener` on a request to end (SIGINT, SIGTERM, SIGHUP, and SIGPIPE when the reader of stdout has closed it)
   * instead of ending. @returns function that restores the default.
   */
  readonly onSignal: (listener: (signal: EndSignal) => void) => () => void;
  readonly exit: (code: number) => void;
  /** Resolves when stdout has taken every line: with the error that lost one, if any. */
  readonly flush: () => Promise<Error | undefined>;
}

/** The parts of a process that a terminal needs. */
export interface TerminalDeps {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
  /** Emits the names of signals. */
  readonly signals: EventEmitter;
  readonly exit: (code: number) => void;
}

/** Signals of the operating system; SIGPIPE shows as EPIPE on stdout, since Node ignores the signal. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function processTerminal(): Terminal {
  return createTerminal({
    stdout: process.stdout,
    stderr: process.stderr,
    signals: process,
    exit: (code) => {
      process.exit(code);
    },
  });
}

export function createTerminal({ stdout, stderr, signals, exit }: TerminalDeps): Terminal {
  const listeners = new Set<(signal: EndSignal) => void>();
  /** Set when stdout is lost; nothing more is written to it. */
  let lost: NodeJS.ErrnoException | undefined;
  let isStderrLost = false;
  const note = (line: string): void => {
    if (!isStderrLost) stderr.write(`${redactCredentials(line)}\n`);
  };
  stderr.on("error", () => {
    isStderrLost = true;
  });
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (lost !== undefined) return;
    lost = error;
    if (error.code !== "EPIPE") {
      note(`kn: cannot write to stdout: ${error.message}; the lines that follow are lost`);
      return;
    }
    if (listeners.size === 0) exit(EXIT_BY_SIGNAL.SIGPIPE);
    for (const listener of [...listeners]) listener("SIGPIPE");
  });
  return {
    isInteractive: stdout.isTTY === true,
    write: (line) => {
      if (lost === undefined) stdout.write(`${redactCredentials(line)}\n`);
    },
    note,
    onSignal(listener) {
      const entries = SIGNALS.map((signal) => {
        const entry = (): void => {
          listener(signal);
        };
        signals.on(signal, entry);
        return { signal, entry };
      });
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        for (const { signal, entry } of entries) signals.off(signal, entry);
      };
    },
    exit,
    async flush() {
      if (lost === undefined) {
        // The empty line's callback comes after those of all lines before; an error event comes before or with it.
        await new Promise<void>((resolve) => {
          stdout.write("", () => {
            setImmediate(resolve);
          });
        });
      }
      return lost;
    },
  };
}
