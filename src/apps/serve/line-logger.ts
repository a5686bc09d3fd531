/** A log for a person who watches a service in a terminal: one plain line for each entry, without the usual detail. */
import type { Logger } from "../../runtime/telemetry/index.ts";

export interface LineLoggerDeps {
  readonly write: (line: string) => void;
  readonly wallTimeMs: () => number;
}

/** Entries of level debug are left out. */
export function lineLogger({ write, wallTimeMs }: LineLoggerDeps, base: object = {}): Logger {
  const line =
    (mark: string) =>
    (fields: object, message: string): void => {
      const time = new Date(wallTimeMs()).toISOString().slice(11, 19);
      const facts = Object.entries({ ...base, ...fields }).map(([name, value]) => describe(name, value));
      write([time, mark + message, ...facts.filter((fact) => fact !== "")].join("  "));
    };
  return {
    debug: () => undefined,
    info: line(""),
    warn: line("warning: "),
    error: line("error: "),
    child: (fields) => lineLogger({ write, wallTimeMs }, { ...base, ...fields }),
  };
}

function describe(name: string, value: unknown): string {
  if (value === undefined) return "";
  if (value instanceof Error) return value.message;
  return `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
}
