/**
 * Progress of a long job. On a terminal one line is redrawn with the elapsed time; elsewhere a step gets a line
 * when it starts, one every 15 s while it lasts, and one when it ends. Several steps may run at once.
 */

export interface Progress {
  /**
   * Announces a step.
   * @param measure a figure that grows while it lasts ("120 of 274 MB"); called a few times a second, errors are
   * ignored
   */
  step(title: string, measure?: () => string | undefined): Step;
}

export interface Step {
  /** Ends the step with its result. The first call counts. */
  end(outcome: string): void;
}

/** The used part of a stream: `process.stderr` fits. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 200;
const PLAIN_MS = 15_000;

/** Reports nothing. */
export const silentProgress: Progress = { step: () => ({ end: () => undefined }) };

export function createProgress(stream: ProgressStream): Progress {
  const running = new Set<{ readonly describe: () => string }>();
  let timer: NodeJS.Timeout | undefined;
  const isTerminal = stream.isTTY === true;

  const clear = (): void => {
    if (isTerminal) stream.write("\r\u001b[2K");
  };
  const draw = (): void => {
    const texts = [...running].map((step) => step.describe());
    if (isTerminal) {
      clear();
      stream.write(texts.join(" | ").slice(0, (stream.columns || 80) - 1));
    } else {
      for (const text of texts) stream.write(`  ${text}\n`);
    }
  };

  return {
    step: (title, measure) => {
      const startedMs = performance.now();
      const elapsed = (): string => `${((performance.now() - startedMs) / 1000).toFixed(0)} s`;
      const entry = {
        describe: () => [title, attempt(measure), elapsed()].filter((part) => part !== undefined).join(", "),
      };
      running.add(entry);
      if (!isTerminal) stream.write(`  ${title} ...\n`);
      timer ??= setInterval(draw, isTerminal ? REDRAW_MS : PLAIN_MS).unref();
      return {
        end: (outcome) => {
          if (!running.delete(entry)) return;
          clear();
          stream.write(`  ${title}: ${outcome} (${elapsed()})\n`);
          if (running.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
    },
  };
}

function attempt(measure: (() => string | undefined) | undefined): string | undefined {
  try {
    return measure?.();
  } catch {
    return undefined; // a folder that has just been moved away
  }
}
