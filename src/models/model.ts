/**
 * One model: its releases, and what is live. Every release that it gives out is one that can be computed with: its
 * manifest is that of the model, its signature is intact and, where keys are trusted, by one of them.
 */
import type { ModelManifest } from "../run-spec/index.ts";
import type { Candidate, ChangeNote, LiveChange, LiveRecord } from "./live-record.ts";
import type { ModelRelease, NamedTensors } from "./release.ts";

export interface PublishOptions {
  /** @default false */
  readonly isPinned?: boolean;
}

export interface Model {
  readonly name: string;
  /**
   * All releases, newest first, those with a refused signature too. One whose record does not parse is left out. Rejects
   * with KN_UNAVAILABLE.
   */
  releases(): Promise<ModelRelease[]>;
  /** Rejects with KN_CONFIG when there is no such release, KN_CHECKPOINT when its record or its signature is refused. */
  release(release: number): Promise<ModelRelease>;
  /**
   * The weights of one block, verified: digest, names and shapes by the network, every value finite. Owned by the caller.
   * Rejects with KN_CHECKPOINT when they are absent, damaged, or break a rule.
   */
  loadPart(release: ModelRelease, block: number): Promise<NamedTensors>;
  /** What is live now; NOTHING_LIVE before the first promotion. Rejects with KN_CHECKPOINT when it does not parse. */
  live(): Promise<LiveRecord>;
  /**
   * The live record now, and after each change, by whatever process, within a quarter of a second; of several changes
   * perhaps the last one only. Waits while the store is away. Done after an abort; never an error.
   */
  changes(signal?: AbortSignal): AsyncIterable<LiveRecord>;
  /** Every change of what was live, oldest first. */
  history(): Promise<LiveChange[]>;

  /** Makes `parts`, one for each block of the network, the newest release. Rejects as `loadPart`, before it writes. */
  publish(
    manifest: Omit<ModelManifest, "format" | "model">,
    parts: readonly NamedTensors[],
    options?: PublishOptions,
  ): Promise<ModelRelease>;
  /** Makes it live, once all of it is verified; it stays so when it is already. Ends a candidate. Rejects as `release`. */
  promote(release: number, note: ChangeNote): Promise<LiveRecord>;
  /** Returns to `release`, verified before. @default the one that was live before */
  rollback(note: ChangeNote, release?: number): Promise<LiveRecord>;
  /** Verified before; takes the place of another candidate. Rejects with KN_CONFIG while nothing is live. */
  startCandidate(candidate: Candidate, note: ChangeNote): Promise<LiveRecord>;
  /** @param release only while this is the candidate. @default whichever is */
  endCandidate(note: ChangeNote, release?: number): Promise<LiveRecord>;
  /** A pinned release is never deleted. Rejects with KN_CONFIG when there is no such release. */
  setPinned(release: number, isPinned: boolean): Promise<void>;
  /** Deletes all but the newest `kept`, the pinned, and those that the live record names. @returns what was deleted */
  retain(kept: number): Promise<number[]>;
}
