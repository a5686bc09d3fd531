/**
 * What is live of a model: one record, changed by compare-and-set, that replicas and gateways reconcile with. It holds its
 * last change, so that a history that lacks it can be completed (history.ts). Pure.
 */
import { z } from "zod";
import { KnowledgeNetError } from "../errors/index.ts";

const releaseNumber = z.int().min(1);

/** `shadow`: it answers a copy of requests, and its answers are compared; `canary`: it answers a share of them. */
export const CANDIDATE_MODES = ["shadow", "canary"] as const;
const candidateSchema = z.strictObject({
  release: releaseNumber,
  mode: z.enum(CANDIDATE_MODES),
  /** Share of the requests that it gets. */
  percent: z.number().gt(0).max(100),
});
export type Candidate = z.infer<typeof candidateSchema>;

export const CHANGE_KINDS = ["promoted", "rolled-back", "candidate-started", "candidate-ended", "removed"] as const;

/** Longest reason and name of an author, and most numbers, that a change has. */
export const MAX_TEXT = 500;
export const MAX_NUMBERS = 32;

export const liveChangeSchema = z.object({
  /** 1, 2, 3, ... */
  change: z.int().min(1),
  /** ms since 1970; never before that of the change before. */
  atMs: z.number(),
  kind: z.enum(CHANGE_KINDS),
  /** Live release before and after. */
  from: releaseNumber.optional(),
  to: releaseNumber.optional(),
  /** The candidate that it started or ended; a promotion or a rollback ends one too. */
  candidate: candidateSchema.optional(),
  reason: z.string().max(MAX_TEXT),
  /** Who made it: "kn promote", "gateway-0". */
  by: z.string().max(MAX_TEXT),
  /** What it was decided by: requests, errors, latencies. */
  numbers: z.record(z.string(), z.number()),
});
/** One change of what is live: an entry of the model's history. */
export type LiveChange = z.infer<typeof liveChangeSchema>;

export const liveRecordSchema = z.object({
  format: z.literal(1),
  /** Changes so far. */
  change: z.int().min(0),
  /** Absent: nothing is live yet. */
  live: releaseNumber.optional(),
  /** What a rollback returns to. Absent: nothing was live before. */
  previous: releaseNumber.optional(),
  candidate: candidateSchema.optional(),
  /** Since when `live` is, ms since 1970; 0: nothing is. */
  sinceMs: z.number(),
  last: liveChangeSchema.optional(),
  /** Releases that are being deleted. None of them can become live. */
  retired: z.array(releaseNumber),
  /** Highest number of a release that was removed with the whole model: replicas know a release by its number. */
  removedThrough: releaseNumber.optional(),
});
export type LiveRecord = z.infer<typeof liveRecordSchema>;

export const NOTHING_LIVE: LiveRecord = { format: 1, change: 0, sinceMs: 0, retired: [] };

/** Why and by whom something is changed. */
export interface ChangeNote {
  /** @default "" */
  readonly reason?: string;
  readonly by: string;
  /** @default none */
  readonly numbers?: Readonly<Record<string, number>>;
}

/** What is to change. */
export type LiveCommand =
  | { readonly kind: "promote"; readonly release: number }
  | ({ readonly kind: "rollback" } & RollbackOptions)
  | { readonly kind: "start-candidate"; readonly candidate: Candidate }
  /** @param release only while this one is the candidate. @default whichever is */
  | { readonly kind: "end-candidate"; readonly release?: number }
  /** All of these are to be deleted, and nothing is live any more. @param isForced also while one is live */
  | { readonly kind: "remove"; readonly releases: readonly number[]; readonly isForced: boolean };

export interface RollbackOptions {
  /** @default the release that was live before */
  readonly to?: number;
  /** Only while this release is live. Whoever decides by the figures of one release names it. @default whichever is */
  readonly from?: number;
}

/** Releases that must not be deleted. */
export function releasesInUse({ live, previous, candidate }: LiveRecord): number[] {
  return [live, previous, candidate?.release].filter((release) => release !== undefined);
}

/**
 * The record after `command`; itself when there is nothing to change.
 * @throws KnowledgeNetError KN_CONFIG when the command does not fit the record
 */
export function changeLive(
  model: string,
  record: LiveRecord,
  command: LiveCommand,
  { reason = "", by, numbers = {} }: ChangeNote,
  nowMs: number,
): LiveRecord {
  const { live, candidate } = record;
  const refuse = (attempt: string, rule: string, value: string, remedy: string): KnowledgeNetError =>
    new KnowledgeNetError("KN_CONFIG", { attempt, rule, value, remedy });
  const assertKept = (attempt: string, release: number): void => {
    if (!record.retired.includes(release)) return;
    throw refuse(
      attempt,
      "it must not be one that is being deleted",
      `release ${release} is beyond retention`,
      `publish it again, and pin it: kn pin ${model} RELEASE`,
    );
  };
  const changed = (
    part: Pick<LiveChange, "kind" | "candidate">,
    next: Partial<LiveRecord>,
    base: LiveRecord = record,
  ): LiveRecord => {
    const { candidate: _ended, last, ...rest } = base;
    const merged = { ...rest, ...next };
    const entry: LiveChange = {
      change: record.change + 1,
      atMs: Math.max(nowMs, last?.atMs ?? 0),
      ...part,
      ...(live === undefined ? {} : { from: live }),
      ...(merged.live === undefined ? {} : { to: merged.live }),
      reason: reason.slice(0, MAX_TEXT),
      by: by.slice(0, MAX_TEXT),
      numbers: Object.fromEntries(Object.entries(numbers).slice(0, MAX_NUMBERS)),
    };
    const sinceMs = merged.live === live ? record.sinceMs : entry.atMs;
    return { ...merged, change: entry.change, sinceMs, last: entry };
  };
  const goLive = (kind: "promoted" | "rolled-back", release: number): LiveRecord =>
    changed(
      { kind, ...(candidate === undefined ? {} : { candidate }) },
      { live: release, ...(live === undefined ? {} : { previous: live }) },
    );

  switch (command.kind) {
    case "promote": {
      const { release } = command;
      if (release === live) return record;
      assertKept(`promote release ${release} of ${model}`, release);
      return goLive("promoted", release);
    }
    case "rollback": {
      if (command.from !== undefined && command.from !== live) return record;
      const release = command.to ?? record.previous;
      const attempt = `roll ${model} back`;
      if (live === undefined || release === undefined) {
        const value = live === undefined ? "nothing is live" : `release ${live} is the first`;
        throw refuse(attempt, "a release must have been live before", value, `kn promote ${model}`);
      }
      if (release === live) {
        if (command.to !== undefined) return record;
        throw refuse(attempt, "the previous release must be another one", String(live), `kn releases ${model}`);
      }
      assertKept(attempt, release);
      return goLive("rolled-back", release);
    }
    case "start-candidate": {
      const { release } = command.candidate;
      const attempt = `make release ${release} of ${model} a candidate`;
      const parsed = candidateSchema.safeParse(command.candidate);
      if (!parsed.success) {
        const value = `${command.candidate.mode} of ${command.candidate.percent} %`;
        throw refuse(attempt, "its share must be above 0 and at most 100 percent", value, "correct the share");
      }
      if (live === undefined) {
        throw refuse(attempt, "a release must be live beside it", "nothing is live", `kn promote ${model}`);
      }
      if (release === live) {
        throw refuse(attempt, "it must not be the live one", `release ${live} is live`, `kn releases ${model}`);
      }
      assertKept(attempt, release);
      if (JSON.stringify(candidate) === JSON.stringify(parsed.data)) return record;
      return changed({ kind: "candidate-started", candidate: parsed.data }, { candidate: parsed.data });
    }
    case "end-candidate": {
      if (candidate === undefined || (command.release !== undefined && command.release !== candidate.release))
        return record;
      return changed({ kind: "candidate-ended", candidate }, {});
    }
    case "remove": {
      const { releases, isForced } = command;
      if (live !== undefined && !isForced) {
        const remedy = "end what serves it, then remove it all the same: --force";
        throw refuse(`remove ${model}`, "none of its releases may be live", `release ${live} is`, remedy);
      }
      const retired = [...new Set([...record.retired, ...releases])];
      if (live === undefined && retired.length === record.retired.length) return record;
      const { live: _live, previous: _previous, ...base } = record;
      const removedThrough = Math.max(record.removedThrough ?? 1, ...releases);
      const ended = candidate === undefined ? {} : { candidate };
      return changed({ kind: "removed", ...ended }, { retired, removedThrough }, base);
    }
  }
}
