/** State of a controller during its term of office: one attempt of the run, its progress, and its coordinator. */
import type { Coordinator, RunRecord } from "../actors/coordinator/index.ts";
import { type ErrorCode, isKnowledgeNetError } from "../errors/index.ts";
import { type Checkpoints, manifestAt } from "../runtime/artifacts/index.ts";
import type { Clock } from "../runtime/clock/index.ts";
import type { Lease } from "../runtime/lease/index.ts";
import type { Fleet } from "./fleet.ts";
import type { RunRecordEntry } from "./records.ts";
import { createHistoryWriter, type HistoryWriter } from "./run-history.ts";
import { EMPTY_SUMMARY, type RunStatus, type RunSummary, summaryOf } from "./run-status.ts";
import { createStatusWriter } from "./status-writer.ts";

export interface RunTerm {
  readonly lease: Lease;
  readonly isRestored: boolean;
  readonly record: RunRecordEntry;
  readonly checkpoints: Checkpoints | undefined;
  /** Summary that the coordinator began with; undefined at the beginning of the phase. */
  readonly base: RunSummary | undefined;
  readonly done: RunStatus["done"];
  readonly startedAt: string;
  readonly history: HistoryWriter;
  readonly writeStatus: (status: RunStatus) => Promise<void>;
  /** Outcome that an earlier controller wrote without ending the run. */
  readonly outcome: RunStatus["outcome"];
  coordinator: Coordinator | undefined;
}

export interface RunTermDeps {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly openCheckpoints: () => Promise<Checkpoints>;
}

/** A term before its restore: it can only report the failure that prevents the restore. */
export function blankTerm(lease: Lease, record: RunRecordEntry, { fleet, clock }: RunTermDeps): RunTerm {
  return {
    lease,
    record,
    isRestored: false,
    checkpoints: undefined,
    base: undefined,
    done: [],
    startedAt: new Date(clock.wallTimeMs()).toISOString(),
    history: createHistoryWriter(record, EMPTY_SUMMARY, fleet.store),
    writeStatus: createStatusWriter(fleet.status),
    outcome: undefined,
    coordinator: undefined,
  };
}

/**
 * The status of a term that is not restored: that of an earlier controller of this attempt, or a provisional one.
 * Rejects with KN_UNAVAILABLE.
 */
export async function unrestoredStatus(term: RunTerm, facts: StatusFacts, fleet: Fleet): Promise<RunStatus> {
  const before = (await fleet.status.get(term.record.run))?.value;
  const now = statusOf(term, facts);
  if (before?.attempt !== term.record.attempt) return { ...now, isProvisional: true };
  const { record, published, seconds, startedAt, done, isProvisional } = before;
  return { ...now, record, published, seconds, startedAt, done, ...(isProvisional === true ? { isProvisional } : {}) };
}

/** Progress of the run: from the status of an earlier controller, its checkpoint, or the beginning of the phase. */
export async function restoreTerm(blank: RunTerm, deps: RunTermDeps): Promise<RunTerm> {
  const { record } = blank;
  const { fleet } = deps;
  const status = (await fleet.status.get(record.run))?.value;
  const checkpoints = await deps.openCheckpoints();
  const isSameAttempt = status?.attempt === record.attempt && status.isProvisional !== true;
  const base = isSameAttempt ? status.record : await summaryFromCheckpoint(record, status, checkpoints);
  return {
    ...blank,
    isRestored: true,
    checkpoints,
    base,
    done: status?.done ?? [],
    ...(isSameAttempt ? { startedAt: status.startedAt, outcome: status.outcome } : {}),
    history: createHistoryWriter(record, base ?? EMPTY_SUMMARY, fleet.store),
  };
}

async function summaryFromCheckpoint(
  { from, phase }: RunRecordEntry,
  status: RunStatus | undefined,
  checkpoints: Checkpoints,
): Promise<RunSummary | undefined> {
  if (from === undefined) return undefined;
  const manifest = manifestAt(await checkpoints.manifests(), from);
  if (manifest?.phase !== phase) return undefined;
  const { epoch, step, generation } = manifest;
  const listed = status?.record.evaluations ?? [];
  const evaluations = listed.filter((each) => each.step <= step);
  const evaluated = (status?.record.counts.evaluations ?? 0) - (listed.length - evaluations.length);
  const best = status?.record.best;
  return {
    ...EMPTY_SUMMARY,
    evaluations,
    counts: { ...EMPTY_SUMMARY.counts, evaluations: evaluated },
    ...(best === undefined || best.step > step ? {} : { best }),
    epochs: epoch,
    step,
    generation,
  };
}

/** The coordinator's record to begin with. */
export function recordOfSummary({ counts: _counts, best: _best, ...listed }: RunSummary): RunRecord {
  return listed;
}

export interface StatusFacts {
  readonly node: string;
  readonly control: string;
  readonly nowMs: number;
  readonly problem?: string | undefined;
  readonly end?: { readonly outcome: RunStatus["outcome"]; readonly error?: Error };
}

export function statusOf(term: RunTerm, { node, control, nowMs, problem, end }: StatusFacts): RunStatus {
  const { lease, record, coordinator, base = EMPTY_SUMMARY, done, startedAt } = term;
  const code: ErrorCode | undefined = isKnowledgeNetError(end?.error) ? end.error.code : undefined;
  return {
    format: 2,
    run: record.run,
    attempt: record.attempt,
    fence: lease.fence,
    phase: record.phase,
    done: done.filter(({ phase }) => phase !== record.phase),
    state: coordinator?.state ?? control,
    control,
    ...(end?.outcome === undefined ? {} : { outcome: end.outcome }),
    ...(end?.error === undefined ? {} : { error: end.error.message, code: code ?? "KN_INVARIANT" }),
    ...(problem === undefined ? {} : { problem }),
    coordinator: node,
    published: coordinator?.published ?? base.step,
    record: coordinator === undefined ? base : summaryOf(coordinator.record, base),
    seconds: Math.max(0, (nowMs - Date.parse(startedAt)) / 1000),
    startedAt,
    updatedAt: new Date(nowMs).toISOString(),
  };
}
