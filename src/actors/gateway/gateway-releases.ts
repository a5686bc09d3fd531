/**
 * The releases that a gateway computes with: which one requests get, when it goes over to another, and when it withdraws
 * one. The live record is the desired state; a gateway goes over when all its replicas have loaded it.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import type { LiveRecord, Model } from "../../models/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import { createCandidateShare } from "./candidate-share.ts";
import type { ServedRelease } from "./inference.ts";
import { sampleShapeOf } from "./join-inputs.ts";
import type { ReleaseFigures } from "./release-guard.ts";
import { createReleaseMemory, type KnownRelease } from "./release-memory.ts";
import { createReleaseWithdrawals } from "./release-withdrawals.ts";
import { createReleasesState } from "./releases-state.ts";
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

export type { KnownRelease } from "./release-memory.ts";

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

/** Replicas that load a release for longer than this do not keep the others back, ms. */
const PATIENCE_MS = 10_000;

export function createGatewayReleases(
  { id }: GatewayReleasesOptions,
  { model, table, clock, log, onChange }: GatewayReleasesDeps,
): GatewayReleases {
  const state = createReleasesState();
  const memory = createReleaseMemory();
  const canary = createCandidateShare();
  const shadow = createCandidateShare();
  const reading = createRetryPace({ clock, log });

  /** It can be computed now. */
  const covered = (release: number | undefined): KnownRelease | undefined => {
    const found = release === undefined ? undefined : memory.find(release);
    return found !== undefined && table.isCovered(found.release) ? found : undefined;
  };
  const allCovered = (releases: readonly (number | undefined)[]): KnownRelease[] =>
    releases.map(covered).filter((found) => found !== undefined);

  /**
   * A replica may drop a release, as no longer wanted, at the moment at which a promotion of it arrives here: then its last
   * announcement was wrong. The one before answers until `current` is loaded again.
   */
  const answering = (): KnownRelease | undefined =>
    covered(state.current) ?? covered(state.former) ?? covered(state.record.previous);

  const goOver = (release: number): void => {
    const [before, afterMs] = [state.current, Math.round(state.behindMs(clock.now()))];
    state.goOver(release, clock.now());
    memory.forgetFigures(release);
    log.info({ release, before, afterMs }, "answering with another release");
  };

  /** All replicas have it; or enough of them, when the others take too long or the release of now is lost. */
  const isTurnOf = (live: number): boolean => {
    if (table.isEverywhere(live)) return true;
    const { current } = state;
    const isPatient = state.behindMs(clock.now()) < PATIENCE_MS;
    return table.isCovered(live) && (!isPatient || (current !== undefined && !table.isCovered(current)));
  };

  const reconcile = (): void => {
    const { current } = state;
    const { live, previous } = state.record;
    if (live !== undefined && live !== current && memory.find(live) !== undefined && isTurnOf(live)) goOver(live);
    // A gateway that starts while the live release is being loaded for the first time answers with the one before.
    else if (live !== undefined && current === undefined && covered(previous) !== undefined) goOver(previous ?? live);
    withdrawals.withdrawRefused();
    learn();
    onChange();
  };

  /** Reads the manifests that lack, beside everything else. */
  const learn = (): void => {
    const lacking = (): number | undefined => state.wanted.find((release) => memory.find(release) === undefined);
    if (lacking() === undefined) return;
    reading.attempt(async () => {
      for (let release = lacking(); release !== undefined; release = lacking()) {
        const { manifest } = await model.release(release);
        const sampleShape = sampleShapeOf({ shape: [1, ...manifest.network.input] });
        memory.learn({ release, manifest, sampleShape }, [...state.wanted, state.current ?? release]);
        reconcile();
      }
    }, "a manifest was not read; trying again");
  };

  const take = (next: LiveRecord): void => {
    const before = state.record.candidate?.release;
    if (!state.take(next, clock.now())) return;
    if (next.candidate !== undefined && next.candidate.release !== before) {
      memory.forgetFigures(next.candidate.release);
    }
    reading.reset();
    reconcile();
  };

  const withdrawals = createReleaseWithdrawals(id, {
    model,
    table,
    state,
    figures: memory.figures,
    clock,
    log,
    onRecord: take,
  });

  return {
    get live() {
      return answering();
    },
    get served() {
      return allCovered(memory.known.toSorted((a, b) => b - a));
    },
    get usable() {
      return allCovered([...new Set([state.current, ...state.wanted])]);
    },
    get isSwapping() {
      return state.isSwapping;
    },
    isWanted: (release) => state.wanted.includes(release),
    isJudged: (release) => release === state.record.candidate?.release || release === state.trial?.release,
    assign() {
      const { candidate } = state.record;
      return candidate?.mode === "canary" && canary.isNext(candidate.percent) ? "candidate" : "live";
    },
    resolve(assignment) {
      if (typeof assignment === "number") return covered(assignment);
      return (assignment === "candidate" ? covered(state.record.candidate?.release) : undefined) ?? answering();
    },
    nextShadow() {
      const { candidate } = state.record;
      if (candidate?.mode !== "shadow" || covered(candidate.release) === undefined) return undefined;
      return shadow.isNext(candidate.percent) ? candidate.release : undefined;
    },
    figures: memory.figures,
    judgeAll: withdrawals.judgeAll,
    reconcile,
    async run(signal) {
      for await (const next of model.changes(signal)) take(next);
    },
  };
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
