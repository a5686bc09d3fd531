/**
 * The releases that a gateway computes with: which one requests get, when it goes over to another, and when it withdraws
 * one. The live record is the desired state; a gateway goes over when all its replicas have loaded it.
 */
import { KnowledgeNetError } from "../../errors/index.ts";
import { type ChangeNote, type LiveRecord, type Model, NOTHING_LIVE } from "../../models/index.ts";
import type { Clock } from "../../runtime/clock/index.ts";
import type { Logger } from "../../runtime/telemetry/index.ts";
import type { ServedRelease } from "./inference.ts";
import { judge, noFigures, type ReleaseFigures } from "./release-guard.ts";
import type { ReplicaTable } from "./replica-table.ts";

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

export interface GatewayReleases {
  /** What requests get that name no release. */
  readonly live: ServedRelease | undefined;
  /** All that can be computed now, newest first. */
  readonly served: readonly ServedRelease[];
  /** Another release is live by the record than here. */
  readonly isSwapping: boolean;
  /** Decides by the candidate's share. */
  assign(): "live" | "candidate";
  /** @returns undefined when it cannot be computed now */
  resolve(assignment: Assignment): ServedRelease | undefined;
  /** The release that a copy of the next batch goes to, by its share. */
  nextShadow(): number | undefined;
  /** Figures by which a release is judged. */
  figures(release: number): ReleaseFigures;
  /** Judges after new figures. */
  judgeAll(): void;
  /** To be called when a replica's state changed. */
  reconcile(): void;
  /** Follows the live record until the signal aborts. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

/** A release that became live is judged for so long, ms, and for so many answers. */
const OBSERVED_MS = 60_000;
const OBSERVED_ANSWERS = 1_000;
/** A replica that loads a release for longer than this does not keep the others back, ms. */
const PATIENCE_MS = 10_000;
/** Manifests and figures of so many releases are remembered. */
const REMEMBERED = 16;

export function createGatewayReleases(
  { id }: GatewayReleasesOptions,
  { model, table, clock, log, onChange }: GatewayReleasesDeps,
): GatewayReleases {
  const manifests = new Map<number, ServedRelease>();
  const allFigures = new Map<number, ReleaseFigures>();
  let record: LiveRecord = NOTHING_LIVE;
  let current: number | undefined;
  /** What was answered with before `current`, and since when `current` is. */
  let observed: { readonly release: number; readonly before: number; readonly sinceMs: number } | undefined;
  let wantedSinceMs = 0;
  let canary = 0;
  let shadow = 0;
  let isWriting = false;

  const figures = (release: number): ReleaseFigures => {
    const known = allFigures.get(release);
    if (known !== undefined) return known;
    const fresh = noFigures();
    allFigures.set(release, fresh);
    forgetOldest(allFigures);
    return fresh;
  };
  const known = (release: number | undefined): ServedRelease | undefined =>
    release === undefined || !table.isCovered(release) ? undefined : manifests.get(release);

  /** Changes the record; a failure is tried again at the next judgement. */
  const write = (
    reason: string,
    change: (note: ChangeNote) => Promise<LiveRecord>,
    numbers: ChangeNote["numbers"] = {},
  ): void => {
    if (isWriting) return;
    isWriting = true;
    log.warn({ reason, ...numbers }, "withdrawing a release");
    change({ by: id, reason, numbers })
      .catch((error: unknown) => {
        log.error({ err: error }, "the live record was not changed; trying again");
      })
      .finally(() => {
        isWriting = false;
      });
  };

  const withdrawRefused = (): void => {
    const { live, previous, candidate } = record;
    const refused = live === undefined || live === current ? undefined : table.refusalOf(live);
    const back = current ?? previous;
    if (live !== undefined && refused !== undefined && back !== undefined && back !== live) {
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
    current = release;
    log.info({ release, before, afterMs: Math.round(clock.now() - wantedSinceMs) }, "answering with another release");
    allFigures.delete(release);
    // A rollback goes to a release that is known to be good.
    const isNew = before !== undefined && record.last?.kind === "promoted";
    observed = isNew ? { release, before, sinceMs: clock.now() } : undefined;
  };

  const reconcile = (): void => {
    const { live } = record;
    if (live !== undefined && live !== current && manifests.has(live)) {
      const isPatient = clock.now() - wantedSinceMs < PATIENCE_MS;
      const isLoaded = isPatient ? table.isEverywhere(live) : table.isCovered(live);
      if (isLoaded) goOver(live);
      // A gateway that starts while the live release is being loaded for the first time answers with the one before.
      else if (current === undefined && known(record.previous) !== undefined) goOver(record.previous ?? live);
    }
    withdrawRefused();
    onChange();
  };

  const learn = async (release: number): Promise<void> => {
    if (manifests.has(release)) return;
    const { manifest } = await model.release(release);
    manifests.set(release, { release, manifest });
    for (const old of manifests.keys()) {
      if (manifests.size <= REMEMBERED) break;
      if (old !== current) manifests.delete(old);
    }
  };

  const take = async (next: LiveRecord): Promise<void> => {
    if (next.live !== record.live) wantedSinceMs = clock.now();
    if (next.candidate !== undefined && next.candidate.release !== record.candidate?.release)
      allFigures.delete(next.candidate.release);
    record = next;
    for (const release of [next.live, next.candidate?.release, next.previous]) {
      if (release === undefined) continue;
      await learn(release).catch((error: unknown) => {
        log.error({ release, err: error }, "manifest not read");
      });
    }
    reconcile();
  };

  return {
    get live() {
      return known(current);
    },
    get served() {
      const releases = [...manifests.keys()].filter((release) => table.isCovered(release)).sort((a, b) => b - a);
      return releases.map((release) => manifests.get(release)).filter((found) => found !== undefined);
    },
    get isSwapping() {
      return record.live !== undefined && record.live !== current;
    },
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
      return (assignment === "candidate" ? known(record.candidate?.release) : undefined) ?? known(current);
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
      for await (const next of model.changes(signal)) await take(next);
    },
  };
}

function forgetOldest(map: Map<number, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= REMEMBERED) return;
    map.delete(key);
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
