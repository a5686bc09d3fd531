/**
 * The committed generations of a run: one record, changed by compare-and-set and fenced by the coordinator that wrote
 * it. A generation is the training step after which every actor's state was taken; it counts only once it is in the
 * record. An attempt is the run from one start or resume to the next: resuming from an older generation begins a new
 * one.
 */
import { z } from "zod";
import { parseJson } from "../store/parse-json.ts";
import { type ArtifactScope, newestFirst, type SavedAt } from "./artifact-names.ts";

const count = z.int().min(0);
const manifestSchema = z.object({
  attempt: z.int().min(1),
  generation: z.int().min(1),
  /** Sequence, step and epoch at which every actor stood. */
  sequence: count,
  step: count,
  epoch: count,
  /** Phase of the run that the states are of. */
  phase: z.string(),
  /** SHA-256 of each actor's state, by actor. */
  actors: z.record(z.string(), z.string()),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** The holder of an actor's lease, in the order of holders: a resume begins a new attempt, where fences restart. */
export interface Holder {
  readonly attempt: number;
  readonly fence: number;
}

const holderSchema = z.object({ attempt: count, fence: count });
const recordSchema = z.object({
  format: z.literal(3),
  holder: holderSchema,
  /** Newest first. */
  manifests: z.array(manifestSchema),
});
export type ManifestRecord = z.infer<typeof recordSchema>;

/** Generations kept of each phase of the run: the newest and one to fall back to. */
const KEPT_GENERATIONS = 2;

export const NO_MANIFESTS: ManifestRecord = { format: 3, holder: { attempt: 0, fence: 0 }, manifests: [] };

export const manifestsKey = (scope: ArtifactScope): string => `${scope}.manifests`;
export const fenceKey = (scope: ArtifactScope, actor: string): string => `${scope}.fence.${actor}`;

/** @returns undefined when the bytes are not such a record. */
export function parseManifestRecord(bytes: Uint8Array): ManifestRecord | undefined {
  return recordSchema.safeParse(parseJson(bytes)).data;
}

export function parseHolder(bytes: Uint8Array): Holder | undefined {
  return holderSchema.safeParse(parseJson(bytes)).data;
}

export function encodeRecord(record: ManifestRecord | Holder): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** @returns undefined when the generation is not committed, or beyond retention. */
export function manifestAt(manifests: readonly Manifest[], at: SavedAt): Manifest | undefined {
  return manifests.find((each) => newestFirst(each, at) === 0);
}

/** Below zero: `a` held it before `b`. */
export function compareHolders(a: Holder, b: Holder): number {
  return a.attempt - b.attempt || a.fence - b.fence;
}

/** The record with `manifest`, without manifests beyond retention: the last state of a phase outlives the phase. */
export function withManifest(record: ManifestRecord, holder: Holder, manifest: Manifest): ManifestRecord {
  const others = record.manifests.filter((each) => newestFirst(each, manifest) !== 0);
  const all = [...others, manifest].sort(newestFirst);
  const manifests = all.filter(
    ({ phase }, index) => all.slice(0, index).filter((newer) => newer.phase === phase).length < KEPT_GENERATIONS,
  );
  return { format: 3, holder, manifests };
}
