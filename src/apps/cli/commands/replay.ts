/** `kn replay RUN`: what a continuous run has decided, and, with a window, why: judged again from the stored evidence. */
import type { Command } from "commander";
import type { RecordedEvent } from "../../../actors/learner/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { DEFAULT_RUNS_FOLDER } from "../../../jobs/run-folder.ts";
import { findingTable, type ReplayedDecision, replayWindow } from "../../follow/follow-history.ts";
import { lineOfEvent } from "../../follow/follow-lines.ts";
import { optionalFleetAddress, optionalFleetBus } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
import { historyInFleet, historyInFolder, showHistory } from "../follow-status.ts";
import { parseWholeNumber } from "./serve.ts";
import { drawText } from "../text-table.ts";

interface ReplayOptions {
  readonly bus?: string | true;
  readonly runs: string;
  readonly window?: number;
  readonly json: boolean;
}

export function registerReplay(program: Command, deps: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("replay")
    .argument("<run>", "name of a continuous run, which may go on")
    .description("show what a continuous run has decided; with --window why, judged again from the stored evidence")
    .addOption(optionalFleetBus("a run of the fleet"))
    .option("--runs <folder>", "where runs are kept", DEFAULT_RUNS_FOLDER)
    .option("--window <number>", "the window of a decision", parseWholeNumber)
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (run: string, options: ReplayOptions) => {
      const history = await historyOfRun(run, options, deps);
      if (options.window === undefined) showHistory(run, history, options, deps);
      else showWindow(history, options.window, options, deps);
      exit(EXIT_OK);
    });
}

async function historyOfRun(run: string, options: ReplayOptions, deps: ExecuteDeps): Promise<readonly RecordedEvent[]> {
  const address = optionalFleetAddress(options.bus, deps);
  const history =
    address === undefined ? await historyInFolder(run, options.runs, deps) : await historyInFleet(run, address, deps);
  if (history.length > 0) return history;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `replay ${run}`,
    rule: "it must be a continuous run that has begun",
    value: address === undefined ? `none in ${options.runs}` : "none on the fleet",
    remedy: "start one: kn run examples/follow.yaml; name its place: --runs or --bus",
  });
}

function showWindow(
  history: readonly RecordedEvent[],
  window: number,
  { json }: ReplayOptions,
  { terminal }: ExecuteDeps,
): void {
  const own = history.filter(({ event }) => event.window === window);
  if (own.length === 0) {
    throw new KnowledgeNetError("KN_CONFIG", {
      attempt: "replay a window",
      rule: "the run must have had it",
      value: String(window),
      remedy: "kn replay RUN lists the windows",
    });
  }
  const decisions = replayWindow(history, window);
  if (json) {
    terminal.write(JSON.stringify({ window, events: own, decisions }, undefined, 2));
    return;
  }
  terminal.write(drawText([...own.map(({ event }) => lineOfEvent(event)), ...decisions.flatMap(decisionTexts)]));
}

function decisionTexts({ event, judgement, isSame }: ReplayedDecision) {
  if (judgement === null) return [`candidate ${event.candidate} was dropped without a judgement: ${event.reason}`];
  const verdict = isSame
    ? "the same verdict"
    : `another verdict, ${judgement.verdict}: the record or the rules have changed`;
  return [findingTable(judgement.reasons), `candidate ${event.candidate}, judged again from its evidence: ${verdict}`];
}
