/** A continuous run for `kn replay`, `kn status` and `kn watch`: from its folder or from a fleet's store. */
import type { RecordedEvent } from "../../actors/learner/index.ts";
import { DEFAULT_RUNS_FOLDER } from "../../jobs/run-folder.ts";
import { readFileStore, type Store } from "../../runtime/store/index.ts";
import { silentLogger } from "../../runtime/telemetry/index.ts";
import { findFollowFolder } from "../follow/follow-folder.ts";
import { readHistory, summariseHistory, windowTable } from "../follow/follow-history.ts";
import { lineOfEvent } from "../follow/follow-lines.ts";
import type { ExecuteDeps } from "./execute-run.ts";
import { EXIT_OK } from "./exit.ts";
import { drawText } from "./text-table.ts";

/** Between two looks at a run that goes on, ms. */
const LOOK_MS = 1_000;

/** Empty: there is no such run in that folder. */
export async function historyInFolder(
  run: string,
  runs: string,
  { clock }: ExecuteDeps,
): Promise<readonly RecordedEvent[]> {
  const folder = await findFollowFolder(runs, run);
  if (folder === undefined) return [];
  await using store = await readFileStore({ directory: folder.storePath, clock });
  return await readHistory(store, folder.name);
}

/** Empty: there is no such run on the fleet. */
export async function historyInFleet(
  run: string,
  address: string,
  deps: ExecuteDeps,
): Promise<readonly RecordedEvent[]> {
  await using connected = await deps.connectFleet({ address, name: "kn replay" }, { log: silentLogger });
  return await readHistory(connected.fleet.store, run);
}

/** Windows, counts, and what is live. */
export function showHistory(
  run: string,
  history: readonly RecordedEvent[],
  { json }: { readonly json: boolean },
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

/** `kn status RUN` of a continuous run; undefined: it is none. @returns the exit code */
export async function continuousStatus(
  run: string,
  options: { readonly json: boolean; readonly follow: boolean },
  store: Store | undefined,
  deps: ExecuteDeps,
): Promise<number | undefined> {
  const read = (): Promise<readonly RecordedEvent[]> =>
    store === undefined ? historyInFolder(run, DEFAULT_RUNS_FOLDER, deps) : readHistory(store, run);
  const history = await read();
  if (history.length === 0) return undefined;
  showHistory(run, history, options, deps);
  if (options.follow) await followLines(history.length, read, deps);
  return EXIT_OK;
}

/** A line for each new event, until a signal. */
async function followLines(
  shown: number,
  read: () => Promise<readonly RecordedEvent[]>,
  { terminal, clock }: ExecuteDeps,
): Promise<void> {
  const leaving = new AbortController();
  const forget = terminal.onSignal(() => {
    leaving.abort(new Error("left"));
  });
  let seen = shown;
  try {
    while (!leaving.signal.aborted) {
      await clock.sleep(LOOK_MS, leaving.signal).catch(() => undefined);
      const history = await read();
      for (const { event } of history.slice(seen)) terminal.write(lineOfEvent(event));
      seen = history.length;
    }
  } finally {
    forget();
  }
}
