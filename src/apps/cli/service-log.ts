/** `--log` of the commands that serve until a signal ends them: lines for a person, or JSON for a collector, on stdout. */
import { Option } from "commander";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { lineLogger } from "../serve/line-logger.ts";
import type { ExecuteDeps } from "./execute-run.ts";
import { jsonLog } from "./run-log.ts";

const LOG_FORMS = ["text", "json"] as const;
export type LogForm = (typeof LOG_FORMS)[number];

/** @param which of the command's runs have it, for its description. @default all */
export function logFormOption(which = ""): Option {
  return new Option("--log <form>", `${which}lines of text, or one JSON document in each line`)
    .choices(LOG_FORMS)
    .default("text");
}

export interface ServiceLog {
  readonly log: Logger;
  /** Tells the operator; with JSON the line is an entry of the log. */
  readonly say: (line: string) => void;
}

export function openServiceLog(
  form: LogForm,
  run: string,
  { terminal, clock }: Pick<ExecuteDeps, "terminal" | "clock">,
): ServiceLog {
  if (form === "text") {
    return {
      log: lineLogger({ write: terminal.write, wallTimeMs: () => clock.wallTimeMs() }),
      say: terminal.write,
    };
  }
  const log = jsonLog(run, terminal.write);
  return {
    log,
    say(line) {
      log.info({}, line);
    },
  };
}
