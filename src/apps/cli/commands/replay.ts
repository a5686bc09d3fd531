/** `kn replay RUN`: what a continuous run has decided, and, with a window, why: judged again from the stored evidence. */
import type { Command } from "commander";
import type { RecordedEvent } from "../../../actors/learner/index.ts";
import { KnowledgeNetError } from "../../../errors/index.ts";
import { DEFAULT_RUNS_FOLDER } from "../../../jobs/run-folder.ts";
import { readFileStore } from "../../../runtime/store/index.ts";
import { silentLogger } from "../../../runtime/telemetry/index.ts";
import { findFollowFolder } from "../../follow/follow-folder.ts";
import {
  findingTable,
  readHistory,
  type ReplayedDecision,
  replayWindow,
  summariseHistory,
  windowTable,
} from "../../follow/follow-history.ts";
import { lineOfEvent } from "../../follow/follow-lines.ts";
import { optionalFleetAddress, optionalFleetBus } from "../bus-options.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { EXIT_OK } from "../exit.ts";
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
      if (options.window === undefined) showAll(run, history, options, deps);
      else showWindow(history, options.window, options, deps);
      exit(EXIT_OK);
    });
}

async function historyOfRun(run: string, options: ReplayOptions, deps: ExecuteDeps): Promise<readonly RecordedEvent[]> {
  const address = optionalFleetAddress(options.bus, deps);
  const history = address === undefined ? await inFolder(run, options, deps) : await inFleet(run, address, deps);
  if (history.length > 0) return history;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: `replay ${run}`,
    rule: "it must be a continuous run that has begun",
    value: address === undefined ? `none in ${options.runs}` : "none on the fleet",
    remedy: "start one: kn run examples/follow.yaml; name its place: --runs or --bus",
  });
}

async function inFolder(run: string, { runs }: ReplayOptions, { clock }: ExecuteDeps) {
  const folder = await findFollowFolder(runs, run);
  if (folder === undefined) return [];
  await using store = await readFileStore({ directory: folder.storePath, clock });
  return await readHistory(store, folder.name);
}

async function inFleet(run: string, address: string, deps: ExecuteDeps) {
  await using connected = await deps.connectFleet({ address, name: "kn replay" }, { log: silentLogger });
  return await readHistory(connected.fleet.store, run);
}

function showAll(
  run: string,
  history: readonly RecordedEvent[],
  { json }: ReplayOptions,
  { terminal, clock }: ExecuteDeps,
): void {
  const summary = summariseHistory(history);
  if (json) {
    terminal.write(JSON.stringify({ run, ...summary, events: history }, undefined, 2));
    return;
  }
  const age = summary.liveSinceMs === null ? 0 : Math.max(0, clock.wallTimeMs() - summary.liveSinceMs) / 1_000;
  terminal.write(
    drawText([
      windowTable(history),
      `${run}: ${summary.windows} windows, ${summary.observations} observations; ${summary.candidates} candidates, ` +
        `${summary.promotions} promoted, ${summary.refusals} refused, ${summary.rollbacks} rollbacks`,
      `update ${summary.live ?? "-"} is live since ${age.toFixed(0)} s; ${summary.updates} updates of ` +
        `${summary.updateBytes} bytes together; labels of ${summary.oracle ?? "-"}`,
    ]),
  );
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
