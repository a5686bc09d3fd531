/** `kn live MODEL`: what is live of a model, or was at a time, and how it came about. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { liveAt, type Model } from "../../../models/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import {
  assertKnown,
  type ModelOptions,
  parseCount,
  placeWords,
  withModel,
  withModelPlace,
  withTrust,
} from "../model-options.ts";
import { changeText, timeText } from "../model-text.ts";

interface LiveOptions extends ModelOptions {
  readonly at?: number;
  readonly last: number;
  readonly json: boolean;
}

/** Changes shown. */
const SHOWN_CHANGES = 5;

export function registerLive(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  withTrust(
    withModelPlace(
      program
        .command("live")
        .argument("<model>", "name of a model")
        .description("show what is live of a model, since when, and the last changes"),
    ),
  )
    .addOption(new Option("--at <time>", "what was live then, for example 2026-01-31T12:00:00Z").argParser(parseTime))
    .addOption(new Option("--last <count>", "changes to show").argParser(parseCount).default(SHOWN_CHANGES))
    .option("--json", "print one JSON document", false)
    .action(async (name: string, options: LiveOptions) => {
      const { terminal } = deps;
      const text = await withModel(name, options, "kn live", deps, async (model) => {
        await assertKnown(model);
        return options.at === undefined ? describeNow(model, options) : describeThen(model, options.at, options);
      });
      terminal.write(text);
      exit(EXIT_OK);
    });
}

async function describeNow(model: Model, options: LiveOptions): Promise<string> {
  const { name } = model;
  const { live, previous, candidate, sinceMs, change } = await model.live();
  const changes = (await model.history()).slice(-options.last);
  if (options.json) {
    const document = { model: name, live: live ?? null, sinceMs: live === undefined ? null : sinceMs, change };
    const others = { previous: previous ?? null, candidate: candidate ?? null, changes };
    return JSON.stringify({ ...document, ...others }, undefined, 2);
  }
  if (live === undefined) return `nothing of ${name} is live; kn promote ${name}${placeWords(options)}`;
  return [
    `release ${live} of ${name} is live since ${timeText(sinceMs)}`,
    ...(candidate === undefined
      ? []
      : [`release ${candidate.release} is a candidate: ${candidate.mode} of ${candidate.percent} %`]),
    ...(previous === undefined ? [] : [`a rollback returns to release ${previous}`]),
    ...changes.map(changeText),
  ].join("\n");
}

async function describeThen(model: Model, atMs: number, { json }: LiveOptions): Promise<string> {
  const change = liveAt(await model.history(), atMs);
  if (json) {
    const document = { model: model.name, at: timeText(atMs), live: change?.to ?? null, change: change ?? null };
    return JSON.stringify(document, undefined, 2);
  }
  if (change === undefined) return `nothing of ${model.name} was live at ${timeText(atMs)}`;
  return `release ${change.to} of ${model.name} was live at ${timeText(atMs)}\n${changeText(change)}`;
}

/** @throws InvalidArgumentError */
function parseTime(text: string): number {
  const ms = Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError("it must be a date and a time, for example 2026-01-31T12:00:00Z");
}
