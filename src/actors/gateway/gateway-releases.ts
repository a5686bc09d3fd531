/**
 * The releases that a gateway computes with: which one requests get, when it goes over to another, and when it withdraws
 * one. The live record is the desired state; a gateway goes over when all its replicas have loaded it.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type ChangeNote, type LiveRecord, type Model, NOTHING_LIVE } from "../../models/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ServedRelease } from "./inference.ts";
import { sampleShapeOf } from "./join-inputs.ts";
import { judge, noFigures, type ReleaseFigures } from "./release-guard.ts";
import type { ReplicaTable } from "./replica-table.ts";
import { createRetryPace } from "./retry-pace.ts";

export interface GatewayReleasesOptions {
  readonly id: string;
}

export interface GatewayReleasesDeps {
  readonly model: Model;
  readonly table: ReplicaTable;
  readonly clock: Clock;
  readonly log: Logger;
  /** The gateway went over to another release, or has one that it can compute now, or has none any more. */
  readonly onChange: () => void;
}

/** Whether a request is answered by the live release or by the candidate; a number: by this one. */
export type Assignment = "live" | "candidate" | number;

/** A release whose manifest is known. */
export interface KnownRelease extends ServedRelease {
  /** Shape of one sample of its input, as text. */
  readonly sampleShape: string;
}

export interface GatewayReleases {
  /** What requests get that name no release. */
  readonly live: KnownRelease | undefined;
  /** All that can be computed now, newest first. */
  readonly served: readonly KnownRelease[];
  /** Those that requests may be computed with now, most wanted first. */
  readonly usable: readonly KnownRelease[];
  /** Another release is live by the record than here. */
  readonly isSwapping: boolean;
  /** Decides by the candidate's share. */
  assign(): "live" | "candidate";
  /** @returns undefined when it cannot be computed now */
  resolve(assignment: Assignment): KnownRelease | undefined;
  /** Replicas are to have it, by the record. */
  isWanted(release: number): boolean;
  /** It is on trial: the candidate, or one that has just become live. */
  isJudged(release: number): boolean;
  /** The release that a copy of the next batch goes to, by its share. */
  nextShadow(): number | undefined;
  /** Figures by which a release is judged. */
  figures(release: number): ReleaseFigures;
  /** Judges after new figures. */
  judgeAll(): void;
  /** To be called when a replica's state changed, and from time to time. */
  reconcile(): void;
  /** Follows the live record until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** A release that became live is judged for so long, ms, and for so many answers. */
const OBSERVED_MS = 60_000;
const OBSERVED_ANSWERS = 1_000;
/** Replicas that load a release for longer than this do not keep the others back, ms. */
const PATIENCE_MS = 10_000;
/** Manifests and figures of so many releases are remembered. */
const REMEMBERED = 16;
export function createGatewayReleases(
  { id }: GatewayReleasesOptions,
  { model, table, clock, log, onChange }: GatewayReleasesDeps,
): GatewayReleases {
  const manifests = new Map<number, KnownRelease>();
  const allFigures = new Map<number, ReleaseFigures>();
  const reading = createRetryPace({ clock, log });
  const writing = createRetryPace({ clock, log });
  let record: LiveRecord = NOTHING_LIVE;
  let current: number | undefined;
  /** The one before `current`. */
  let former: number | undefined;
  /** What was answered with before `current`, and since when `current` is. */
  let observed: { readonly release: number; readonly before: number; readonly sinceMs: number } | undefined;
  /** Since when another release is live by the record. */
  let behindSinceMs: number | undefined;
  /** The live release is so by a promotion: a rollback goes to one that is known to be good. */
  let isPromoted = false;
  let canary = 0;
  let shadow = 0;

  const wanted = (): number[] =>
    [record.live, record.candidate?.release, record.previous].filter((release) => release !== undefined);

  const figures = (release: number): ReleaseFigures => {
    const known = allFigures.get(release);
    if (known !== undefined) return known;
    const fresh = noFigures();
    allFigures.set(release, fresh);
    forgetOldest(allFigures, []);
    return fresh;
  };
  const known = (release: number | undefined): KnownRelease | undefined => {
    const found = release === undefined ? undefined : manifests.get(release);
    return found !== undefined && table.isCovered(found.release) ? found : undefined;
  };

  /**
   * A replica may drop a release, as no longer wanted, at the moment at which a promotion of it arrives here: then its last
   * announcement was wrong. The one before answers until `current` is loaded again.
   */
  const answering = (): KnownRelease | undefined => known(current) ?? known(former) ?? known(record.previous);

  /** Changes the record; a failure is tried again after a pause. */
  const write = (
    reason: string,
    change: (note: ChangeNote) => Promise<LiveRecord>,
    numbers: ChangeNote["numbers"] = {},
  ): void => {
    writing.attempt(async () => {
      log.warn({ reason, ...numbers }, "withdrawing a release");
      take(await change({ by: id, reason, numbers }));
    }, "the live record was not changed; trying again");
  };

  const withdrawRefused = (): void => {
    const { live, previous, candidate } = record;
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
  };

  const goOver = (release: number): void => {
    const before = current;
    const afterMs = Math.round(clock.now() - (behindSinceMs ?? clock.now()));
    former = before;
    current = release;
    log.info({ release, before, afterMs }, "answering with another release");
    if (release === record.live) behindSinceMs = undefined;
    allFigures.delete(release);
    const isOnTrial = before !== undefined && isPromoted && release === record.live;
    observed = isOnTrial ? { release, before, sinceMs: clock.now() } : undefined;
  };

  /** All replicas have it; or enough of them, when the others take too long or the release of now is lost. */
  const isTurnOf = (live: number): boolean => {
    if (table.isEverywhere(live)) return true;
    const isPatient = clock.now() - (behindSinceMs ?? clock.now()) < PATIENCE_MS;
    return table.isCovered(live) && (!isPatient || (current !== undefined && !table.isCovered(current)));
  };

  const reconcile = (): void => {
    const { live, previous } = record;
    if (live !== undefined && live !== current && manifests.has(live) && isTurnOf(live)) goOver(live);
    // A gateway that starts while the live release is being loaded for the first time answers with the one before.
    else if (live !== undefined && current === undefined && known(previous) !== undefined) goOver(previous ?? live);
    withdrawRefused();
    learn();
    onChange();
  };

  /** Reads the manifests that lack, beside everything else. */
  const learn = (): void => {
    const lacking = (): number | undefined => wanted().find((release) => !manifests.has(release));
    if (lacking() === undefined) return;
    reading.attempt(async () => {
      for (let release = lacking(); release !== undefined; release = lacking()) {
        const { manifest } = await model.release(release);
        const { input } = manifest.network;
        manifests.set(release, { release, manifest, sampleShape: sampleShapeOf({ shape: [1, ...input] }) });
        forgetOldest(manifests, [...wanted(), current ?? release]);
        reconcile();
      }
    }, "a manifest was not read; trying again");
  };

  const take = (next: LiveRecord): void => {
    const isOlder = next.change < record.change && (next.last?.atMs ?? 0) <= (record.last?.atMs ?? 0);
    if (isOlder) return; // it was read before a change of this gateway
    if (next.live !== record.live) isPromoted = next.last?.kind === "promoted";
    if (next.candidate !== undefined && next.candidate.release !== record.candidate?.release)
      allFigures.delete(next.candidate.release);
    record = next;
    if (record.live === current) behindSinceMs = undefined;
    else behindSinceMs ??= clock.now();
    reading.reset();
    reconcile();
  };

  return {
    get live() {
      return answering();
    },
    get served() {
      const releases = [...manifests.keys()].sort((a, b) => b - a);
      return releases.map(known).filter((found) => found !== undefined);
    },
    get usable() {
      const releases = [...new Set([current, ...wanted()])];
      return releases.map(known).filter((found) => found !== undefined);
    },
    get isSwapping() {
      return record.live !== undefined && record.live !== current;
    },
    isWanted: (release) => wanted().includes(release),
    isJudged: (release) => release === record.candidate?.release || release === observed?.release,
    assign() {
      const { candidate } = record;
      if (candidate?.mode !== "canary") return "live";
      canary += candidate.percent;
      if (canary < 100) return "live";
      canary -= 100;
      return "candidate";
    },
    resolve(assignment) {
      if (typeof assignment === "number") return known(assignment);
      return (assignment === "candidate" ? known(record.candidate?.release) : undefined) ?? answering();
    },
    nextShadow() {
      const { candidate } = record;
      if (candidate?.mode !== "shadow" || known(candidate.release) === undefined) return undefined;
      shadow += candidate.percent;
      if (shadow < 100) return undefined;
      shadow -= 100;
      return candidate.release;
    },
    figures,
    judgeAll() {
      const { candidate } = record;
      if (candidate !== undefined && current !== undefined) {
        const withdrawal = judge(figures(candidate.release), figures(current));
        if (withdrawal !== undefined)
          write(withdrawal.reason, (note) => model.endCandidate(note, candidate.release), withdrawal.numbers);
      }
      if (observed === undefined) return;
      const { release, before, sinceMs } = observed;
      const isOver = clock.now() - sinceMs > OBSERVED_MS || figures(release).answers > OBSERVED_ANSWERS;
      if (isOver || release !== record.live) {
        observed = undefined;
        return;
      }
      const withdrawal = judge(figures(release), figures(before));
      if (withdrawal !== undefined)
        write(withdrawal.reason, (note) => model.rollback(note, { to: before, from: release }), withdrawal.numbers);
    },
    reconcile,
    async run(signal) {
      for await (const next of model.changes(signal)) take(next);
    },
  };
}

function forgetOldest(map: Map<number, unknown>, kept: readonly number[]): void {
  for (const key of map.keys()) {
    if (map.size <= REMEMBERED) return;
    if (!kept.includes(key)) map.delete(key);
  }
}

/** A request without a release that can be computed. */
export function notServed(model: string, release: number, served: readonly ServedRelease[]): KnowledgeNetError {
  const numbers = served.map((each) => each.release).join(", ");
  return new KnowledgeNetError("KN_CONFIG", {
    attempt: `infer with ${model}`,
    rule: `its release must be served now (${numbers === "" ? "none is" : numbers})`,
    value: String(release),
    remedy: "name one of these, or none for the live one",
  });
}
