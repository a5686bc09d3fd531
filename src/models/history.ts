/**
 * Every change of what was live of a model, in a log. The record is changed first, by compare-and-set, and holds its last
 * change; the entry is appended after it, and again by the next change where the log lacks it. So the log holds every
 * change but perhaps the last, some of them twice, and a reader gets each once.
 */
import { parseJson, type Store } from "../runtime/store/index.ts";
import { type LiveChange, liveChangeSchema, type LiveRecord } from "./live-record.ts";

/** Log of a model's history. Not `history-`: those are of runs, and are collected with them. */
export function historyOf(model: string): string {
  return `model.${model}.history`;
}

export async function appendChange(store: Store, model: string, change: LiveChange): Promise<void> {
  const log = await store.log(historyOf(model));
  await log.append(new TextEncoder().encode(JSON.stringify(change)));
}

/** The entries of the log, and the last change of `record` where the log lacks it; oldest first. */
export async function readChanges(store: Store, model: string, record: LiveRecord): Promise<LiveChange[]> {
  const found = new Map<number, LiveChange>();
  for await (const { data } of (await store.log(historyOf(model))).read()) {
    const entry = liveChangeSchema.safeParse(parseJson(data)).data;
    if (entry !== undefined) found.set(entry.change, entry);
  }
  if (record.last !== undefined) found.set(record.last.change, record.last);
  return [...found.values()].sort((a, b) => a.change - b.change);
}

/** What was live at a time, ms since 1970, and by which change. Undefined: nothing was. */
export function liveAt(history: readonly LiveChange[], timeMs: number): LiveChange | undefined {
  const change = history.findLast(({ atMs }) => atMs <= timeMs);
  return change?.to === undefined ? undefined : change;
}
