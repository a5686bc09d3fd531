/**
 * What a gateway knows of the releases of its model: the live record as last read, which release it answers with, and which
 * one is on trial since it became live. Plain state with pure transitions.
 */
import { type LiveRecord, NOTHING_LIVE } from "../../models/index.ts";

/** A release that became live by a promotion: it is judged against the one before. */
export interface Trial {
  readonly release: number;
  readonly before: number;
  readonly sinceMs: number;
}

export interface ReleasesState {
  readonly record: LiveRecord;
  /** The release that it answers with; undefined: none yet. */
  readonly current: number | undefined;
  /** The one before `current`. */
  readonly former: number | undefined;
  readonly trial: Trial | undefined;
  /** Those that the record names, most wanted first. */
  readonly wanted: readonly number[];
  /** Another release is live by the record than here. */
  readonly isSwapping: boolean;
  /** For how long that has been so, ms; 0: it is not. */
  behindMs(nowMs: number): number;
  /** The record as it is now. @returns false for one that was read before a change of this gateway: it is left out */
  take(next: LiveRecord, nowMs: number): boolean;
  /** Answers with `release` from now on. */
  goOver(release: number, nowMs: number): void;
  endTrial(): void;
}

export function createReleasesState(): ReleasesState {
  let record: LiveRecord = NOTHING_LIVE;
  let current: number | undefined;
  let former: number | undefined;
  let trial: Trial | undefined;
  let behindSinceMs: number | undefined;
  /** The live release is so by a promotion: a rollback goes to one that is known to be good. */
  let isPromoted = false;

  return {
    get record() {
      return record;
    },
    get current() {
      return current;
    },
    get former() {
      return former;
    },
    get trial() {
      return trial;
    },
    get wanted() {
      return [record.live, record.candidate?.release, record.previous].filter((release) => release !== undefined);
    },
    get isSwapping() {
      return record.live !== undefined && record.live !== current;
    },
    behindMs: (nowMs) => nowMs - (behindSinceMs ?? nowMs),
    take(next, nowMs) {
      const isOlder = next.change < record.change && (next.last?.atMs ?? 0) <= (record.last?.atMs ?? 0);
      if (isOlder) return false;
      if (next.live !== record.live) isPromoted = next.last?.kind === "promoted";
      record = next;
      if (record.live === current) behindSinceMs = undefined;
      else behindSinceMs ??= nowMs;
      return true;
    },
    goOver(release, nowMs) {
      former = current;
      current = release;
      if (release === record.live) behindSinceMs = undefined;
      const isOnTrial = isPromoted && release === record.live;
      trial = isOnTrial && former !== undefined ? { release, before: former, sinceMs: nowMs } : undefined;
    },
    endTrial() {
      trial = undefined;
    },
  };
}
