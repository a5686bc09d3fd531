/**
 * Withdraws a release by the live record: one that no replica can load, or one on trial whose answers are worse than those
 * of the release before.
 */
import type { ChangeNote, LiveRecord, Model } from "../../models/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { judge, type ReleaseFigures } from "./release-guard.ts";
import type { ReleasesState } from "./releases-state.ts";
import type { ReplicaTable } from "./replica-table.ts";
import { createRetryPace } from "./retry-pace.ts";

export interface ReleaseWithdrawalsDeps {
  readonly model: Model;
  readonly table: ReplicaTable;
  readonly state: ReleasesState;
  readonly figures: (release: number) => ReleaseFigures;
  readonly clock: Clock;
  readonly log: Logger;
  /** The record after a change. */
  readonly onRecord: (record: LiveRecord) => void;
}

export interface ReleaseWithdrawals {
  /** The live release or the candidate, if a replica refused it. */
  withdrawRefused(): void;
  /** The candidate or the release on trial, by its figures. */
  judgeAll(): void;
}

/** A release that became live is judged for so long, ms, and for so many answers. */
const OBSERVED_MS = 60_000;
const OBSERVED_ANSWERS = 1_000;
/** Slowness shows after some seconds only, ms. */
const LEAST_OBSERVED_MS = 10_000;

/** @param by author of the changes */
export function createReleaseWithdrawals(
  by: string,
  { model, table, state, figures, clock, log, onRecord }: ReleaseWithdrawalsDeps,
): ReleaseWithdrawals {
  const writing = createRetryPace({ clock, log });

  /** Changes the record; a failure is tried again after a pause. */
  const write = (
    reason: string,
    change: (note: ChangeNote) => Promise<LiveRecord>,
    numbers: ChangeNote["numbers"] = {},
  ): void => {
    writing.attempt(async () => {
      log.warn({ reason, ...numbers }, "withdrawing a release");
      onRecord(await change({ by, reason, numbers }));
    }, "the live record was not changed; trying again");
  };

  const judgeCandidate = (): void => {
    const { current } = state;
    const { candidate } = state.record;
    if (candidate === undefined || current === undefined) return;
    const withdrawal = judge(figures(candidate.release), figures(current), clock.now());
    if (withdrawal === undefined) return;
    write(withdrawal.reason, (note) => model.endCandidate(note, candidate.release), withdrawal.numbers);
  };

  const judgeTrial = (): void => {
    const { trial, record } = state;
    if (trial === undefined) return;
    const { release, before, sinceMs } = trial;
    const sinceThenMs = clock.now() - sinceMs;
    const hasProved = sinceThenMs > LEAST_OBSERVED_MS && figures(release).answers > OBSERVED_ANSWERS;
    const isOver = sinceThenMs > OBSERVED_MS || hasProved;
    if (isOver || release !== record.live) {
      state.endTrial();
      return;
    }
    const withdrawal = judge(figures(release), figures(before), clock.now());
    if (withdrawal === undefined) return;
    write(withdrawal.reason, (note) => model.rollback(note, { to: before, from: release }), withdrawal.numbers);
  };

  return {
    withdrawRefused() {
      const { current } = state;
      const { live, previous, candidate } = state.record;
      // One that is answered with already is withdrawn when nobody can compute it any more.
      const isHeld = live === undefined || (live === current && table.isCovered(live));
      const refused = isHeld ? undefined : table.refusalOf(live);
      const back = current === live ? previous : (current ?? previous);
      if (live !== undefined && refused !== undefined && back !== undefined && table.refusalOf(back) === undefined) {
        const reason = `${refused.replica} refused release ${live}: ${refused.failure.message}`;
        write(reason, (note) => model.rollback(note, { to: back, from: live }));
      }
      const refusedCandidate = candidate === undefined ? undefined : table.refusalOf(candidate.release);
      if (candidate !== undefined && refusedCandidate !== undefined) {
        const reason = `${refusedCandidate.replica} refused it: ${refusedCandidate.failure.message}`;
        write(reason, (note) => model.endCandidate(note, candidate.release));
      }
    },
    judgeAll() {
      judgeCandidate();
      judgeTrial();
    },
  };
}
