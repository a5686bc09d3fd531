/**
 * History of a run: a log of its evaluations, switches of gradient sources and changes of the teacher, appended once
 * each.
 */
import { z } from "zod";
import type { EvaluationRecord, RunRecord } from "../actors/coordinator/index.ts";
import { parseJson, type Store } from "../runtime/store/index.ts";
import { phaseNameSchema } from "./records.ts";
import { historyOf } from "./history-name.ts";
import { evaluationSchema, type RunStatus, type RunSummary, switchSchema, teacherChangeSchema } from "./run-status.ts";

const at = { phase: phaseNameSchema, attempt: z.int().min(1) };
const entrySchema = z.discriminatedUnion("kind", [
  evaluationSchema.extend({ kind: z.literal("evaluation"), ...at }),
  switchSchema.extend({ kind: z.literal("switch"), ...at }),
  teacherChangeSchema.extend({ kind: z.literal("teacher"), ...at }),
]);
type HistoryEntry = z.infer<typeof entrySchema>;
type Phase = HistoryEntry["phase"];

export interface HistoryWriter {
  /**
   * Appends the entries of `record` that are not in the log yet. An evaluation is appended once its sample count is
   * equal in two calls, or `isFinal`. Rejects with KN_UNAVAILABLE; the next call repeats the entry.
   */
  append(record: RunRecord, isFinal?: boolean): Promise<void>;
}

/** @param base entries with which the record began: they are in the log already */
export function createHistoryWriter(
  { run, phase, attempt }: { readonly run: string; readonly phase: Phase; readonly attempt: number },
  base: RunSummary,
  store: Store,
): HistoryWriter {
  /** Sample count of each evaluation: as appended, and at the last call. */
  const appended = new Map(base.evaluations.map(({ evaluation, samples }) => [evaluation, samples]));
  const seen = new Map<number, number>();
  let [switches, teachers] = [base.switches.length, base.teachers.length];

  return {
    async append(record, isFinal = false) {
      const log = await store.log(historyOf(run));
      const write = async (entry: HistoryEntry): Promise<void> => {
        await log.append(new TextEncoder().encode(JSON.stringify(entry)));
      };
      for (const evaluation of record.evaluations) {
        const { evaluation: number, samples } = evaluation;
        const isSettled = isFinal || seen.get(number) === samples;
        seen.set(number, samples);
        if (!isSettled || appended.get(number) === samples) continue;
        await write({ kind: "evaluation", phase, attempt, ...evaluation });
        appended.set(number, samples);
      }
      for (const each of record.switches.slice(switches)) {
        await write({ kind: "switch", phase, attempt, ...each });
        switches += 1;
      }
      for (const each of record.teachers.slice(teachers)) {
        await write({ kind: "teacher", phase, attempt, ...each });
        teachers += 1;
      }
    },
  };
}

/** The record of a phase with its whole history from the log; with the entries of the summary if the log has none. */
export async function readHistory(run: string, phase: Phase, summary: RunSummary, store: Store): Promise<RunRecord> {
  const evaluations = new Map<number, EvaluationRecord>();
  const switches = new Map<string, RunRecord["switches"][number]>();
  const teachers = new Map<string, RunRecord["teachers"][number]>();
  const add = (entry: HistoryEntry): void => {
    const { kind, phase: of, attempt: _attempt, ...fact } = entry;
    if (of !== phase || fact.step > Math.max(summary.step, ...Object.values(summary.progress).map(({ step }) => step)))
      return;
    if (kind === "evaluation") {
      const found = fact as EvaluationRecord;
      // A later attempt may measure again; of one measurement the later entry holds more samples.
      evaluations.set(found.evaluation, found);
    } else if (kind === "switch") switches.set(JSON.stringify(fact), fact as RunRecord["switches"][number]);
    else teachers.set(JSON.stringify(fact), fact as RunRecord["teachers"][number]);
  };
  for await (const { data } of (await store.log(historyOf(run))).read()) {
    const entry = entrySchema.safeParse(parseJson(data));
    if (entry.success) add(entry.data);
  }
  for (const each of summary.evaluations) evaluations.set(each.evaluation, each);
  for (const each of summary.switches) switches.set(JSON.stringify(each), each);
  for (const each of summary.teachers) teachers.set(JSON.stringify(each), each);
  const { progress, epochs, step, generation } = summary;
  return {
    evaluations: [...evaluations.values()].sort((a, b) => a.evaluation - b.evaluation),
    switches: [...switches.values()],
    teachers: [...teachers.values()],
    ...{ progress, epochs, step, generation },
  };
}

/** The status with the whole history of each phase in place of the newest entries. Rejects with KN_UNAVAILABLE. */
export async function withHistory(status: RunStatus, store: Store): Promise<RunStatus> {
  const whole = async (phase: Phase, summary: RunSummary): Promise<RunSummary> => {
    const { evaluations, switches, teachers } = await readHistory(status.run, phase, summary, store);
    return { ...summary, evaluations: [...evaluations], switches: [...switches], teachers: [...teachers] };
  };
  return {
    ...status,
    record: await whole(status.phase, status.record),
    done: await Promise.all(
      status.done.map(async (each) => ({ ...each, record: await whole(each.phase, each.record) })),
    ),
  };
}
